//! Stops the log at every file operation and judges what opens again.
//!
//! [`Memory`] is a file system that knows what is durable: bytes after a flush of their file, names after a flush of
//! their directory. A killed process leaves all that was written; a loss of power leaves any mixture of durable
//! and written state, drawn from a seed, down to sectors. The oracle is the list of entries that the test
//! itself wanted to append, and it has four planted bugs to catch.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{
    Checkpoint, EvidenceError, Hash, Log, Signer,
    behind::{Behind, Job},
    entry,
    files::{Files, Lock},
    fsck, merkle,
    reader::Reader,
    tile::Kind,
};

const DIR: &str = "/logs/one";
const SECTOR: usize = 512;
/// Small, so that the journal starts over several times within the script.
const JOURNAL: u64 = 8192 + 12 * 1024;
/// Batch sizes: a single entry, edges of a tile, several tiles at once, more than the journal holds. Some are
/// published at once, some with a later one.
const SCRIPT: [(usize, bool); 10] = [
    (1, true),
    (3, false),
    (200, true),
    (52, false),
    (1, false),
    (255, true),
    (2, true),
    (300, false),
    (1, false),
    (1, true),
];

struct Seeded(u64);

impl Seeded {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Default)]
struct Inode {
    written: Vec<u8>,
    durable: Vec<u8>,
}

/// A bug that the sweep must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// The journal is written but not flushed.
    NoJournalFlush,
    /// Tiles are not flushed before the journal starts over.
    NoTileFlush,
    /// The journal starts over before the flush behind the log is done.
    NoFlushWait,
    /// What a killed process left unflushed is taken for durable by the next one.
    NoConfirm,
}

#[derive(Clone)]
struct Disk {
    inodes: Vec<Inode>,
    written: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    steps: usize,
    stop_at: usize,
    planted: Planted,
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    /// The process dies, the machine does not.
    Killed,
    /// Nothing survives that was not flushed.
    PowerAllLost,
    /// Anything may survive.
    Power(u64),
}

impl Disk {
    fn new(planted: Planted) -> Self {
        Self {
            inodes: Vec::new(),
            written: BTreeMap::new(),
            durable: BTreeMap::new(),
            steps: 0,
            stop_at: usize::MAX,
            planted,
        }
    }

    /// One point at which everything may stop.
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        if self.steps > self.stop_at { Err(io::Error::other("stopped")) } else { Ok(()) }
    }

    fn make_dirs(&mut self, path: &Path) {
        for dir in path.ancestors().skip(1) {
            self.written.entry(dir.to_owned()).or_insert(Node::Dir);
        }
    }

    fn inode(&mut self, path: &Path) -> io::Result<usize> {
        match self.written.get(path) {
            Some(Node::File(inode)) => Ok(*inode),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        match self.written.get(path).ok_or(io::ErrorKind::NotFound)? {
            Node::File(inode) => {
                let inode = &mut self.inodes[*inode];
                inode.durable = inode.written.clone();
            }
            Node::Dir => {
                let inside = |child: &Path| child.parent() == Some(path);
                self.durable.retain(|child, _| !inside(child));
                let children = self.written.iter().filter(|(child, _)| inside(child));
                self.durable.extend(children.map(|(child, node)| (child.clone(), *node)));
            }
        }
        Ok(())
    }

    /// What is there when the machine is up again.
    fn after(&self, stop: Stop) -> Self {
        let mut next = Self { steps: 0, stop_at: usize::MAX, ..self.clone() };
        let mut random = match stop {
            Stop::Killed => return next,
            Stop::PowerAllLost => None,
            Stop::Power(seed) => Some(Seeded(seed)),
        };
        let names: BTreeSet<&PathBuf> = self.written.keys().chain(self.durable.keys()).collect();
        next.written = BTreeMap::new();
        for name in names {
            let (new, old) = (self.written.get(name), self.durable.get(name));
            let pick_new = random.as_mut().is_some_and(|random| random.below(2) == 0);
            let Some(node) = (if pick_new { new } else { old }) else { continue };
            // Sorted, so the directory above was decided before.
            if name.parent().is_none_or(|dir| dir == Path::new("/") || next.written.contains_key(dir)) {
                next.written.insert(name.clone(), *node);
            }
        }
        for inode in &mut next.inodes {
            if let Some(random) = &mut random {
                inode.durable = tear(inode, random);
            }
            inode.written = inode.durable.clone();
        }
        next.written.insert(PathBuf::from("/"), Node::Dir);
        next.durable = next.written.clone();
        next
    }
}

/// A mixture of what was written and what was flushed.
fn tear(inode: &Inode, random: &mut Seeded) -> Vec<u8> {
    let Inode { written, durable } = inode;
    if written.len() != durable.len() {
        return match random.below(3) {
            0 => durable.clone(),
            1 => written.clone(),
            _ => written[..random.below(written.len() + 1)].to_vec(),
        };
    }
    let mut mixed = durable.clone();
    for (to, from) in mixed.chunks_mut(SECTOR).zip(written.chunks(SECTOR)) {
        if random.below(2) == 0 {
            to.copy_from_slice(from);
        }
    }
    mixed
}

#[derive(Clone)]
struct Memory(Arc<Mutex<Disk>>);

impl Memory {
    fn new(disk: Disk) -> Self {
        Self(Arc::new(Mutex::new(disk)))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    fn reader(&self) -> Reader {
        Reader::with(Arc::new(self.clone()), Path::new(DIR))
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let mut disk = self.disk();
        Ok(disk.inode(path).ok().map(|inode| disk.inodes[inode].written.clone()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.make_dirs(path);
        let inode = match disk.inode(path) {
            Ok(inode) => inode,
            Err(_) => {
                disk.inodes.push(Inode::default());
                let inode = disk.inodes.len() - 1;
                disk.written.insert(path.to_owned(), Node::File(inode));
                inode
            }
        };
        disk.inodes[inode].written = bytes[..bytes.len() / 2].to_vec();
        disk.step()?;
        disk.inodes[inode].written = bytes.to_vec();
        Ok(())
    }

    fn write_durable(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.inode(path)?;
        let offset = offset as usize;
        let held = &disk.inodes[inode].written[offset..offset + bytes.len()];
        if disk.planted == Planted::NoConfirm && held == bytes {
            return Ok(());
        }
        for len in [bytes.len() / 3, bytes.len()] {
            disk.step()?;
            let file = &mut disk.inodes[inode].written;
            assert!(offset + bytes.len() <= file.len(), "the journal must not grow");
            file[offset..offset + len].copy_from_slice(&bytes[..len]);
        }
        disk.step()?;
        if disk.planted == Planted::NoJournalFlush { Ok(()) } else { disk.sync(path) }
    }

    fn behind(self: Arc<Self>) -> io::Result<Box<dyn Behind>> {
        Ok(Box::new(Late { files: (*self).clone(), jobs: VecDeque::new() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let node = disk.written.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.written.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.written.remove(path);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        if disk.written.keys().any(|child| child.parent() == Some(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        disk.written.remove(path);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.disk().written.keys().filter(|child| child.parent() == Some(dir)).cloned().collect())
    }

    fn sync(&self, paths: &[PathBuf]) -> io::Result<()> {
        let mut disk = self.disk();
        for path in paths {
            disk.step()?;
            let is_tile = path.starts_with(Path::new(DIR).join("tile"));
            if !(is_tile && disk.planted == Planted::NoTileFlush) {
                disk.sync(path)?;
            }
        }
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Lock(None)))
    }
}

/// Does jobs when it is asked about them, or not yet: what goes on behind the log may be done at any time, and a
/// stop finds some of it undone.
struct Late {
    files: Memory,
    jobs: VecDeque<Job>,
}

impl Behind for Late {
    fn give(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    fn open(&self) -> usize {
        self.jobs.len()
    }

    fn done(&mut self) -> io::Result<Vec<PathBuf>> {
        let ready = !self.files.disk().steps.is_multiple_of(3);
        let job = self.jobs.pop_front_if(|_| ready);
        job.map_or(Ok(Vec::new()), |job| job.run(&self.files))
    }

    fn settle(&mut self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for job in self.jobs.drain(..) {
            if matches!(job, Job::Sync(_)) && self.files.disk().planted == Planted::NoFlushWait {
                continue;
            }
            paths.extend(job.run(&self.files)?);
        }
        Ok(paths)
    }
}

fn signer() -> Signer {
    Signer::from_seed("log.example/crash", &[3; 32]).expect("the name is a key name")
}

fn entry_at(index: usize) -> Vec<u8> {
    entry::canonical(&serde_json::json!({ "n": index, "text": "x".repeat(index % 40) }))
        .expect("it has integers only")
}

fn open(files: &Memory) -> Result<Log, EvidenceError> {
    Log::open_with(Arc::new(files.clone()), Path::new(DIR), signer(), JOURNAL)
}

fn all_entries() -> Vec<Vec<u8>> {
    (0..SCRIPT.iter().map(|(batch, _)| batch).sum()).map(entry_at).collect()
}

/// Opens the log and appends what is missing of the script; gives the size that was acknowledged last.
fn run(files: &Memory, acknowledged: &mut u64) -> Result<Log, EvidenceError> {
    let mut log = open(files)?;
    *acknowledged = (*acknowledged).max(log.durable());
    let entries = all_entries();
    let mut end = 0;
    for (batch, publish) in SCRIPT {
        end += batch;
        let start = log.durable() as usize;
        if start < end {
            let batch: Vec<&[u8]> = entries[start..end].iter().map(Vec::as_slice).collect();
            *acknowledged = log.append(&batch)?;
        }
        if publish {
            log.publish()?;
        }
    }
    Ok(log)
}

/// Everything that must hold of a log that is open, judged by the entries that the test wanted.
fn judge(files: &Memory, log: &Log, at_least: u64) -> Result<(), String> {
    let size = log.size();
    if size < at_least {
        return Err(format!("{size} entries are left of {at_least}"));
    }
    let entries = &all_entries()[..size as usize];
    let held = log.read_entries(0..size).map_err(|error| error.to_string())?;
    if held != entries {
        return Err("entries differ".to_owned());
    }
    let leaves: Vec<Hash> = entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
    if log.checkpoint().root() != merkle::root(&leaves) {
        return Err("root differs".to_owned());
    }
    let report =
        fsck::check(files.reader(), &[log.verifier().clone()], &[]).map_err(|error| error.to_string())?;
    if report.checkpoint != *log.checkpoint() {
        return Err("published checkpoint is not the head".to_owned());
    }
    Ok(())
}

/// The size that anyone could have read from the published checkpoint.
fn published(files: &Memory) -> u64 {
    files.reader().checkpoint().ok().flatten().map_or(0, |checkpoint: Checkpoint| checkpoint.size())
}

/// All that the checkpoint promises is there. A killed writer leaves it so; after a loss of power, opening the log
/// makes it so again.
fn serves_what_it_published(files: &Memory) -> Result<(), String> {
    let served = files.reader().checkpoint().map_err(|error| error.to_string())?.is_some();
    let keys = [signer().verifier().clone()];
    let checked = if served { fsck::check(files.reader(), &keys, &[]).map(|_| ()) } else { Ok(()) };
    checked.map_err(|error| format!("what was published cannot be served: {error}"))
}

/// Stops at `step`, brings the machine up again, and judges; then finishes the script and judges again.
fn stop_and_resume(disk: &Disk, step: usize, stop: Stop, mut promised: u64) -> Result<(Disk, u64), String> {
    let files = Memory::new(Disk { stop_at: step, ..disk.clone() });
    let _ = run(&files, &mut promised);
    promised = promised.max(published(&files));
    let next = files.disk().after(stop);
    let files = Memory::new(next.clone());
    let was_served = serves_what_it_published(&Memory::new(disk.clone())).is_ok();
    if matches!(stop, Stop::Killed) && was_served {
        serves_what_it_published(&files)?;
    }
    let log = open(&files).map_err(|error| format!("does not open: {error}"))?;
    judge(&files, &log, promised)?;
    drop(log);
    let mut acknowledged = promised;
    let log = run(&files, &mut acknowledged).map_err(|error| format!("does not go on: {error}"))?;
    judge(&files, &log, all_entries().len() as u64)?;
    Ok((next, promised))
}

fn steps_of_a_run(planted: Planted) -> usize {
    let files = Memory::new(Disk::new(planted));
    let log = run(&files, &mut 0).expect("nothing stops");
    judge(&files, &log, all_entries().len() as u64).expect("nothing stopped");
    assert!(log.generation() >= 3, "the journal must start over within the script");
    drop(log);
    files.disk().steps
}

fn sweep(planted: Planted) -> Result<usize, String> {
    let steps = steps_of_a_run(planted);
    for step in 0..=steps {
        let seeds = [step as u64, step as u64 ^ 0xfeed];
        for stop in [Stop::Killed, Stop::PowerAllLost, Stop::Power(seeds[0]), Stop::Power(seeds[1])] {
            stop_and_resume(&Disk::new(planted), step, stop, 0)
                .map_err(|why| format!("stopped at step {step} of {steps}, {stop:?}: {why}"))?;
        }
    }
    Ok(steps)
}

#[test]
fn stops_at_every_step_and_loses_nothing_durable() {
    let steps = sweep(Planted::Nothing).unwrap();
    assert!(steps > 150, "the script is too short to mean anything: {steps} steps");
}

/// Stops once in the script, then again while the log recovers or soon after.
fn sweep_twice(planted: Planted) -> Result<(), String> {
    for first in (0..steps_of_a_run(planted)).step_by(3) {
        for (at, second) in [2, 5, 8, 9, 10, 11, 12, 13, 15, 17, 20, 34].into_iter().enumerate() {
            let seed = (first * 100 + second) as u64;
            let (one, two) = match (first + at) % 4 {
                0 | 1 => (Stop::Killed, Stop::PowerAllLost),
                2 => (Stop::Power(seed), Stop::Killed),
                _ => (Stop::Killed, Stop::Power(seed)),
            };
            stop_and_resume(&Disk::new(planted), first, one, 0)
                .and_then(|(disk, promised)| stop_and_resume(&disk, second, two, promised))
                .map_err(|why| format!("stopped at {first}, {one:?}, and {second}, {two:?}: {why}"))?;
        }
    }
    Ok(())
}

#[test]
fn stops_again_during_recovery() {
    sweep_twice(Planted::Nothing).unwrap();
}

#[test]
fn the_sweeps_catch_planted_bugs() {
    for planted in [Planted::NoJournalFlush, Planted::NoTileFlush, Planted::NoFlushWait] {
        assert!(sweep(planted).is_err(), "{planted:?} went unnoticed");
    }
    assert!(sweep_twice(Planted::NoConfirm).is_err(), "a missing confirmation went unnoticed");
}

#[test]
fn partial_tiles_serve_every_published_size_until_the_full_one() {
    let files = Memory::new(Disk::new(Planted::Nothing));
    let mut log = open(&files).unwrap();
    let entries = all_entries();
    let mut sizes = Vec::new();
    for batch in entries[..300].chunks(7) {
        let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        log.append(&batch).unwrap();
        sizes.push(log.publish().unwrap().size());
        for &size in &sizes {
            let leaves: Vec<Hash> =
                entries[..size as usize].iter().map(|entry| merkle::leaf_hash(entry)).collect();
            assert_eq!(files.reader().at(size).root().unwrap(), merkle::root(&leaves), "size {size}");
        }
    }
    // The first tile is full, so its partial files are gone, besides those that the journal starts from.
    let first_bundle = Kind::Entries.tile_of(0, 256).unwrap();
    let left = files.list(&Path::new(DIR).join(format!("{first_bundle}.p"))).unwrap();
    assert!(left.len() <= 1, "{left:?}");
}

#[test]
fn a_damaged_record_in_the_middle_is_not_taken_for_the_end() {
    let files = Memory::new(Disk::new(Planted::Nothing));
    let mut log = open(&files).unwrap();
    for index in 0..3 {
        log.append(&[&entry_at(index)]).unwrap();
    }
    log.publish().unwrap();
    drop(log);
    {
        let mut disk = files.disk();
        let inode = disk.inode(&Path::new(DIR).join("journal")).unwrap();
        // Inside of the first record's entry.
        disk.inodes[inode].written[8192 + 52] ^= 1;
    }
    let error = open(&files).err().expect("it would fork");
    assert_eq!(error.code(), "log-behind-checkpoint");
}

#[test]
fn a_record_with_any_byte_changed_does_not_count() {
    let files = Memory::new(Disk::new(Planted::Nothing));
    let mut log = open(&files).unwrap();
    log.append(&[&entry_at(0)]).unwrap();
    log.publish().unwrap();
    let journal = |files: &Memory| files.read(&Path::new(DIR).join("journal")).unwrap().unwrap();
    let before = journal(&files);
    log.append(&[&entry_at(1)]).unwrap();
    drop(log);
    let changed: Vec<usize> = before
        .iter()
        .zip(journal(&files))
        .enumerate()
        .filter(|(_, (old, new))| **old != *new)
        .map(|(at, _)| at)
        .collect();
    let record = changed[0]..=changed[changed.len() - 1];
    assert!(record.clone().count() > 60, "{record:?}");
    for at in record {
        let files = Memory::new(files.disk().clone());
        {
            let mut disk = files.disk();
            let inode = disk.inode(&Path::new(DIR).join("journal")).unwrap();
            disk.inodes[inode].written[at] ^= 1;
        }
        let log = open(&files).unwrap();
        assert_eq!(log.durable(), 1, "byte {at}");
        judge(&files, &log, 1).unwrap();
    }
    assert_eq!(open(&files).unwrap().durable(), 2);
}
