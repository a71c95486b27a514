//! The log on disk: durable append, publication, recovery.
//!
//! Promise: when `append` returns, its entries survive the loss of power; a log that is stopped at any point opens
//! again with every entry that was durable, and never publishes two roots for one size. Each batch costs one
//! flush, that of the journal. Tiles are derived from it: those that a batch fills are written behind the next
//! batches, and flushed behind them in groups; `publish` waits until they are written, adds the partial ones,
//! then the checkpoint. When the journal starts over, what is not flushed yet is.
//!
//! A directory is that of a C2SP `tlog-tiles` log (`checkpoint`, `tile/…`) and can be served as it is,
//! besides `journal` and `lock`.
//!
//! Absent: time, HTTP, deduplication of entries, rotation of the log's key.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use crate::{
    behind::{Behind, Job},
    checkpoint::Checkpoint,
    edge::{Edge, Written, partial},
    entry,
    error::EvidenceError,
    files::{Disk, Files, Lock},
    hash::Hash,
    journal::{self, Journal},
    key::{Signer, VerifierKey},
    merkle,
    proof::Proof,
    reader::{CHECKPOINT, Reader, View},
    tile::{Kind, Tile, WIDTH},
};

/// Size of a new journal in bytes, unless the caller chooses.
pub const JOURNAL_BYTES: u64 = 16 * 1024 * 1024;

/// How often full tiles are flushed while the journal fills once.
const FLUSHES: u64 = 4;

/// The longest origin in bytes, so that a checkpoint fits into the journal's header.
pub const MAX_ORIGIN: usize = 512;

/// A log, open for appending by this process alone.
pub struct Log {
    files: Arc<dyn Files>,
    dir: PathBuf,
    signer: Signer,
    /// What is published.
    head: Checkpoint,
    /// Number of durable entries: as many as `head` has or more.
    durable: u64,
    /// The tree over them.
    edge: Edge,
    journal: Journal,
    /// Full tiles of durable entries that nobody has been asked to write.
    pending: Vec<(PathBuf, Vec<u8>)>,
    /// Writes full tiles of durable entries. Ahead of the checkpoint they are harmless: nobody who verifies reads
    /// them.
    writer: Box<dyn Behind>,
    /// Full tiles that are written, and that nobody has been asked to flush.
    written: Vec<PathBuf>,
    /// Flushes full tiles. They never change and are never removed, so it can be done at any time.
    flusher: Box<dyn Behind>,
    /// How much of the journal was used when it was last asked.
    flushed_at: u64,
    /// Size of the tree that the journal starts from; its tiles must stay until the journal starts over.
    base: u64,
    /// Other published files that may not be durable yet.
    unflushed: BTreeSet<PathBuf>,
    /// Full tiles that have partial files still to be removed.
    partials: BTreeSet<(Kind, u64)>,
    /// Partial tiles of `base` whose full tile is published.
    superseded: Vec<PathBuf>,
    /// A write failed: what is durable is not what is in memory.
    closed: bool,
    _lock: Lock,
}

impl Log {
    /// Opens the log in `dir`, or starts an empty one. Its origin is the name of the signer's key.
    ///
    /// # Errors
    /// `Locked` if another process has it open; `JournalMissing`, `JournalDamaged`, `FileDamaged` or `Behind` if it
    /// cannot be continued safely; `Io`.
    pub fn open(dir: &Path, signer: Signer) -> Result<Self, EvidenceError> {
        Self::open_sized(dir, signer, JOURNAL_BYTES)
    }

    /// As [`Log::open`], with the size in bytes that a new journal gets; at least 128 KiB. An existing journal
    /// keeps its size.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_sized(dir: &Path, signer: Signer, journal_bytes: u64) -> Result<Self, EvidenceError> {
        Self::open_with(Arc::new(Disk::default()), dir, signer, journal_bytes.max(journal::MIN_BYTES))
    }

    pub(crate) fn open_with(
        files: Arc<dyn Files>,
        dir: &Path,
        signer: Signer,
        journal_bytes: u64,
    ) -> Result<Self, EvidenceError> {
        if signer.verifier().name().len() > MAX_ORIGIN {
            return Err(EvidenceError::CheckpointMalformed { why: "origin is too long" });
        }
        let locked = files.lock(&dir.join("lock")).map_err(io("lock", dir))?;
        let lock = locked.ok_or_else(|| EvidenceError::Locked { dir: dir.to_owned() })?;
        let path = Journal::path(dir);
        let content = files.read(&path).map_err(io("read", &path))?;
        let reader = Reader::with(Arc::clone(&files), dir);
        let (journal, base, edge) = match &content {
            Some(content) => {
                let (journal, base) = Journal::load(&path, content, &signer)?;
                let edge = Edge::restore(&reader.at(base.size()))?;
                if edge.root() != base.root() {
                    let why = "tiles do not lead to the root that the journal starts from";
                    return Err(EvidenceError::FileDamaged { path: dir.join("tile"), why });
                }
                (journal, base, edge)
            }
            None if reader.read(Path::new(CHECKPOINT))?.is_some() => {
                return Err(EvidenceError::JournalMissing { dir: dir.to_owned() });
            }
            None => {
                let base = Checkpoint::sign(&signer, 0, merkle::empty_root())?;
                (Journal::create(&*files, dir, journal_bytes, &base, &signer)?, base, Edge::default())
            }
        };
        let hand = || Arc::clone(&files).behind().map_err(io("start writing to", dir));
        let (writer, flusher) = (hand()?, hand()?);
        let mut log = Self {
            files,
            dir: dir.to_owned(),
            signer,
            base: base.size(),
            head: base,
            durable: edge.size(),
            edge,
            journal,
            pending: Vec::new(),
            writer,
            written: Vec::new(),
            flusher,
            flushed_at: 0,
            unflushed: BTreeSet::new(),
            partials: BTreeSet::new(),
            superseded: Vec::new(),
            closed: false,
            _lock: lock,
        };
        match content {
            Some(content) => log.recover(&content)?,
            None => log.publish_checkpoint()?,
        }
        Ok(log)
    }

    /// Replays the journal, checks what was published against it, then publishes what is missing.
    fn recover(&mut self, content: &[u8]) -> Result<(), EvidenceError> {
        let mut pending: BTreeMap<Tile, Vec<u8>> = BTreeMap::new();
        let mut roots = BTreeMap::from([(self.head.size(), self.head.root())]);
        let mut last = None;
        let mut out = Vec::new();
        while let Some(record) = self.journal.peek(content, self.edge.size(), self.edge.root()) {
            let start = self.edge.size();
            for entry in &record.entries {
                self.edge.push(entry, &mut out)?;
            }
            for (tile, bytes) in out.drain(..) {
                pending.retain(|held, _| (held.kind, held.index) != (tile.kind, tile.index));
                pending.insert(tile, bytes);
            }
            pending.extend(self.edge.partials(start));
            roots.insert(self.edge.size(), self.edge.root());
            self.journal.skip(&record);
            last = Some(record);
        }
        let published = self.published(&roots)?;
        self.head = Checkpoint::sign(&self.signer, self.edge.size(), self.edge.root())?;
        self.journal.confirm(&*self.files, &self.dir, content, last.as_ref())?;
        self.durable = self.edge.size();
        for (tile, bytes) in pending {
            let path = self.dir.join(tile.to_string());
            if self.files.read(&path).map_err(io("read", &path))?.as_deref() != Some(&bytes[..]) {
                self.write_tile(tile, &bytes)?;
            }
            self.unflushed.insert(path);
            if tile.is_full() {
                self.remove_partials(tile)?;
            } else {
                self.partials.insert((tile.kind, tile.index));
            }
        }
        let size = self.base;
        self.partials
            .extend(kinds(size).filter_map(|kind| partial(kind, size)).map(|tile| (tile.kind, tile.index)));
        match published {
            // The published note may carry cosignatures that the journal has not.
            Some(published) if published.note().text() == self.head.note().text() => {
                self.head = published;
                Ok(())
            }
            _ => self.publish_checkpoint(),
        }
    }

    /// The published checkpoint if it is whole. It may be older than the journal, never newer or of another tree.
    fn published(&self, roots: &BTreeMap<u64, Hash>) -> Result<Option<Checkpoint>, EvidenceError> {
        let key = std::slice::from_ref(self.signer.verifier());
        // Torn by a loss of power, or not ours: the journal knows better.
        let Ok(Some(published)) = self.reader().checkpoint() else { return Ok(None) };
        if published.verify(key).is_err() {
            return Ok(None);
        }
        if published.size() > self.edge.size() {
            return Err(EvidenceError::Behind { published: published.size(), held: self.edge.size() });
        }
        if roots.get(&published.size()).is_some_and(|root| *root != published.root()) {
            let why = "the published checkpoint has another root at the same size";
            return Err(EvidenceError::JournalDamaged { path: Journal::path(&self.dir), why });
        }
        Ok(Some(published))
    }

    /// Makes a batch durable and gives the number of durable entries back. Who reads sees it after the next
    /// [`publish`](Log::publish). An empty batch changes nothing; one that does not fit into the journal is
    /// appended in several steps.
    ///
    /// # Errors
    /// `NotCanonical` or `EntryTooLarge` before anything is written. After `Io` the log is closed; open it again:
    /// the batch may or may not be in it, so ask for what is [`durable`](Log::durable).
    pub fn append(&mut self, entries: &[&[u8]]) -> Result<u64, EvidenceError> {
        self.usable()?;
        let (mut rest, mut unchecked) = (entries, entries);
        while !rest.is_empty() {
            let batch = &rest[..self.batch_len(rest)];
            let edge = self.edge.clone();
            // Hashing takes longer than all else that is done here, besides waiting for the flush.
            thread::scope(|scope| {
                let grown = scope.spawn(move || grow(edge, batch));
                unchecked.iter().try_for_each(|bytes| entry::check(bytes))?;
                self.append_batch(batch, || grown.join().map_err(|_| EvidenceError::Closed)?)
            })?;
            rest = &rest[batch.len()..];
            unchecked = &[];
        }
        Ok(self.durable)
    }

    /// Publishes what is durable and gives the head back. What was published already changes nothing.
    ///
    /// # Errors
    /// After `Io` the log is closed; what is durable stays so, and opening the log publishes it.
    pub fn publish(&mut self) -> Result<&Checkpoint, EvidenceError> {
        self.usable()?;
        self.closed = true;
        self.publish_durable()?;
        self.closed = false;
        Ok(&self.head)
    }

    /// How many of `entries` one record may hold; at least one.
    fn batch_len(&self, entries: &[&[u8]]) -> usize {
        let mut room = self.journal.capacity() - journal::record_len(&[]);
        let fitting = entries.iter().take_while(|entry| {
            let left = room.checked_sub(2 + entry.len() as u64);
            room = left.unwrap_or(0);
            left.is_some()
        });
        fitting.count().max(1)
    }

    /// Appends what fits into the journal; `grown` gives the tree with it.
    fn append_batch(
        &mut self,
        entries: &[&[u8]],
        grown: impl FnOnce() -> Result<Grown, EvidenceError>,
    ) -> Result<(), EvidenceError> {
        self.closed = true;
        self.flush_behind()?;
        if !self.journal.fits(journal::record_len(entries)) {
            self.start_over()?;
        }
        // Not earlier: while this thread waits for the flush, a processor is free.
        self.write_behind();
        self.journal.append(&*self.files, (self.edge.size(), self.edge.root()), entries)?;
        let Grown { edge, filled } = grown()?;
        self.edge = edge;
        self.durable = self.edge.size();
        self.pending.extend(filled.into_iter().map(|(tile, bytes)| (self.dir.join(tile.to_string()), bytes)));
        self.closed = false;
        Ok(())
    }

    /// Has full tiles written.
    fn write_behind(&mut self) {
        if !self.pending.is_empty() {
            self.writer.give(Job::Write(std::mem::take(&mut self.pending)));
        }
    }

    /// Has written tiles flushed now and then, so that few are left when the journal starts over.
    fn flush_behind(&mut self) -> Result<(), EvidenceError> {
        self.written.extend(self.writer.done().map_err(io("write to", &self.dir))?);
        self.flusher.done().map_err(io("flush", &self.dir))?;
        let due = self.journal.used() - self.flushed_at >= self.journal.capacity() / FLUSHES;
        if due && self.flusher.open() == 0 && !self.written.is_empty() {
            self.flushed_at = self.journal.used();
            let tiles = std::mem::take(&mut self.written);
            self.flusher.give(Job::Sync(self.with_dirs(tiles.into_iter().collect())));
        }
        Ok(())
    }

    /// Those paths with the directories that hold their names.
    fn with_dirs(&self, mut paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let dirs: BTreeSet<PathBuf> = paths
            .iter()
            .flat_map(|path| path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.dir)))
            .map(Path::to_owned)
            .collect();
        paths.extend(dirs);
        paths.into_iter().collect()
    }

    fn publish_durable(&mut self) -> Result<(), EvidenceError> {
        if self.head.size() == self.durable {
            return Ok(());
        }
        self.write_behind();
        self.written.extend(self.writer.settle().map_err(io("write to", &self.dir))?);
        for (tile, bytes) in self.edge.partials(self.head.size()) {
            self.write_tile(tile, &bytes)?;
            self.unflushed.insert(self.dir.join(tile.to_string()));
            self.partials.insert((tile.kind, tile.index));
        }
        self.head = Checkpoint::sign(&self.signer, self.edge.size(), self.edge.root())?;
        let replaced = |(kind, index): &(Kind, u64)| kind.items(self.head.size()) / u64::from(WIDTH) > *index;
        for (kind, index) in self.partials.iter().copied().filter(replaced).collect::<Vec<_>>() {
            self.remove_partials(Tile { kind, index, width: WIDTH })?;
        }
        self.publish_checkpoint()
    }

    fn write_tile(&self, tile: Tile, bytes: &[u8]) -> Result<(), EvidenceError> {
        let path = self.dir.join(tile.to_string());
        self.files.write(&path, bytes).map_err(io("write", &path))
    }

    fn publish_checkpoint(&self) -> Result<(), EvidenceError> {
        let (path, draft) = (self.dir.join(CHECKPOINT), self.dir.join("checkpoint.new"));
        self.files.write(&draft, self.head.to_string().as_bytes()).map_err(io("write", &draft))?;
        self.files.rename(&draft, &path).map_err(io("publish", &path))
    }

    /// Removes the partial files of a tile that is now full. Those of `base` stay until the full one is durable.
    fn remove_partials(&mut self, full: Tile) -> Result<(), EvidenceError> {
        let dir = self.dir.join(format!("{full}.p"));
        let needed = partial(full.kind, self.base).filter(|tile| tile.index == full.index);
        let needed = needed.map(|tile| self.dir.join(tile.to_string()));
        for path in self.files.list(&dir).map_err(io("list", &dir))? {
            if needed.as_ref() == Some(&path) {
                self.superseded.push(path);
            } else {
                self.files.remove(&path).map_err(io("remove", &path))?;
                self.unflushed.remove(&path);
            }
        }
        if needed.is_none() {
            self.files.remove_dir(&dir).map_err(io("remove", &dir))?;
        }
        self.partials.remove(&(full.kind, full.index));
        Ok(())
    }

    /// Makes what was published durable, then lets the journal start from here.
    fn start_over(&mut self) -> Result<(), EvidenceError> {
        self.publish_durable()?;
        self.flusher.settle().map_err(io("flush", &self.dir))?;
        let mut paths = std::mem::take(&mut self.unflushed);
        paths.extend(std::mem::take(&mut self.written));
        paths.insert(self.dir.join(CHECKPOINT));
        self.files.sync(&self.with_dirs(paths)).map_err(io("flush", &self.dir))?;
        self.flushed_at = 0;
        // Signed afresh because the head may carry cosignatures, which the header has no room for.
        let base = Checkpoint::sign(&self.signer, self.head.size(), self.head.root())?;
        self.journal.restart(&*self.files, &base)?;
        self.base = base.size();
        for path in std::mem::take(&mut self.superseded) {
            self.files.remove(&path).map_err(io("remove", &path))?;
            if let Some(dir) = path.parent() {
                self.files.remove_dir(dir).map_err(io("remove", dir))?;
            }
        }
        Ok(())
    }

    /// Adds a witness's signature lines to the published checkpoint; see [`Checkpoint::add_cosignatures`].
    ///
    /// # Errors
    /// As [`Checkpoint::add_cosignatures`], and `Io`.
    pub fn add_cosignatures(
        &mut self,
        lines: &str,
        witnesses: &[VerifierKey],
    ) -> Result<usize, EvidenceError> {
        self.usable()?;
        let count = self.head.add_cosignatures(lines, witnesses)?;
        self.publish_checkpoint()?;
        Ok(count)
    }

    fn usable(&self) -> Result<(), EvidenceError> {
        if self.closed { Err(EvidenceError::Closed) } else { Ok(()) }
    }

    /// Number of durable entries: those that are published, and those that the next publication adds.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Number of published entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.head.size()
    }

    /// The head: the checkpoint that was published last, with the cosignatures that were added to it.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.head
    }

    /// The log's public key.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    #[cfg(test)]
    pub(crate) fn generation(&self) -> u64 {
        self.journal.generation()
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// A reader of the same directory, for other threads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::with(Arc::clone(&self.files), &self.dir)
    }

    /// The tree as it is published now; reuse it for many proofs.
    #[must_use]
    pub fn view(&self) -> View {
        self.reader().at(self.size())
    }

    /// The bytes of entry `index`.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, EvidenceError> {
        self.view().entry(index)
    }

    /// The entries of a range.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn read_entries(&self, range: Range<u64>) -> Result<Vec<Vec<u8>>, EvidenceError> {
        self.view().entries(range).map(|entry| entry.map(|(_, bytes)| bytes)).collect()
    }

    /// Inclusion proof of entry `index` in the tree of `size` entries.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn prove_inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, EvidenceError> {
        self.within(size)?.prove_inclusion(index)
    }

    /// Consistency proof from the tree of `old` entries to that of `new`.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, EvidenceError> {
        self.within(new)?.prove_consistency(old)
    }

    /// The C2SP `tlog-proof` of entry `index` against the head.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn proof(&self, index: u64) -> Result<Proof, EvidenceError> {
        let hashes = self.view().prove_inclusion(index)?;
        Ok(Proof { index, hashes, checkpoint: self.head.clone(), extra: None })
    }

    /// The tree at an earlier size, of which partial tiles may be gone; the tiles of now hold all of it.
    fn within(&self, size: u64) -> Result<View, EvidenceError> {
        if size > self.size() {
            return Err(EvidenceError::OutOfRange { index: size, size: self.size() });
        }
        Ok(self.view().cut(size))
    }
}

/// The tree with a batch, and the tiles that it fills.
struct Grown {
    edge: Edge,
    filled: Vec<Written>,
}

fn grow(mut edge: Edge, batch: &[&[u8]]) -> Result<Grown, EvidenceError> {
    let mut filled = Vec::new();
    batch.iter().try_for_each(|entry| edge.push(entry, &mut filled))?;
    Ok(Grown { edge, filled })
}

/// The kinds of tiles that a tree of `size` entries has.
fn kinds(size: u64) -> impl Iterator<Item = Kind> {
    let levels = (0..64).map(|level| Kind::Hashes { level });
    std::iter::once(Kind::Entries).chain(levels).take_while(move |kind| kind.items(size) > 0)
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> EvidenceError {
    let path = path.to_owned();
    move |source| EvidenceError::Io { action, path, source }
}
