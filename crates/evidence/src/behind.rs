//! Work on files that goes on behind the log while it goes on itself.
//!
//! Promise: jobs are done in the order in which they were given, none after the first that failed, and none is
//! left running when the hand is dropped. A failure is told once, when somebody next asks.
//!
//! Absent: order between two hands; the log gives away only what is harmless whenever it happens.

use std::{
    io, mem,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use crate::files::Files;

/// What can be given away.
pub(crate) enum Job {
    /// Several `Files::write`.
    Write(Vec<(PathBuf, Vec<u8>)>),
    /// One `Files::sync`.
    Sync(Vec<PathBuf>),
}

impl Job {
    /// Does it, and gives the paths back that it was about.
    pub(crate) fn run(self, files: &dyn Files) -> io::Result<Vec<PathBuf>> {
        match self {
            Self::Write(content) => {
                content.iter().try_for_each(|(path, bytes)| files.write(path, bytes))?;
                Ok(content.into_iter().map(|(path, _)| path).collect())
            }
            Self::Sync(paths) => files.sync(&paths).map(|()| paths),
        }
    }
}

/// Somebody who does jobs one after the other.
pub(crate) trait Behind: Send {
    /// Gives a job away and does not wait.
    fn give(&mut self, job: Job);
    /// How many jobs are not known to be done.
    fn open(&self) -> usize;
    /// The paths of what was done since the last question. Does not wait.
    fn done(&mut self) -> io::Result<Vec<PathBuf>>;
    /// The same, after everything is done.
    fn settle(&mut self) -> io::Result<Vec<PathBuf>>;
}

/// A thread of its own.
pub(crate) struct Hand {
    /// Present until it is dropped; without it the thread ends.
    jobs: Option<Sender<Job>>,
    results: Receiver<io::Result<Vec<PathBuf>>>,
    open: usize,
    thread: Option<JoinHandle<()>>,
}

impl Hand {
    pub(crate) fn start(files: Arc<dyn Files>) -> io::Result<Self> {
        let (jobs, given) = mpsc::channel::<Job>();
        let (report, results) = mpsc::channel();
        let work = move || {
            for job in given {
                let result = job.run(&*files);
                let failed = result.is_err();
                if report.send(result).is_err() || failed {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("bailiwick-log".to_owned()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), results, open: 0, thread: Some(thread) })
    }

    fn take(&mut self, result: io::Result<Vec<PathBuf>>, into: &mut Vec<PathBuf>) -> io::Result<()> {
        self.open -= 1;
        into.extend(result?);
        Ok(())
    }
}

impl Behind for Hand {
    fn give(&mut self, job: Job) {
        self.open += 1;
        // A thread that has ended cannot take it; `done` and `settle` say so.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }

    fn open(&self) -> usize {
        self.open
    }

    fn done(&mut self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        while let Ok(result) = self.results.try_recv() {
            self.take(result, &mut paths)?;
        }
        Ok(paths)
    }

    fn settle(&mut self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        while self.open > 0 {
            let ended = |_| io::Error::other("the writing thread has ended");
            let result = self.results.recv().map_err(ended)?;
            self.take(result, &mut paths)?;
        }
        Ok(paths)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        drop(mem::take(&mut self.jobs));
        // What it failed with is lost with the log; the journal still has what it was about.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Arc, Behind, Hand, Job, PathBuf};
    use crate::files::Disk;

    fn write(path: PathBuf, text: &str) -> Job {
        Job::Write(vec![(path, text.as_bytes().to_vec())])
    }

    fn hand() -> (tempfile::TempDir, Hand) {
        (tempfile::tempdir().unwrap(), Hand::start(Arc::new(Disk::default())).unwrap())
    }

    #[test]
    fn jobs_are_done_in_order_and_told_once() {
        let (dir, mut hand) = hand();
        let path = dir.path().join("new/file");
        for text in ["first", "second", "third"] {
            hand.give(write(path.clone(), text));
        }
        hand.give(Job::Sync(vec![path.clone()]));
        assert_eq!(hand.settle().unwrap(), vec![path.clone(); 4]);
        assert_eq!(fs::read_to_string(path).unwrap(), "third");
        assert_eq!((hand.open(), hand.done().unwrap().len(), hand.settle().unwrap().len()), (0, 0, 0));
    }

    #[test]
    fn nothing_is_done_after_a_failure() {
        let (dir, mut hand) = hand();
        // A directory cannot be written to.
        hand.give(write(dir.path().to_owned(), ""));
        hand.give(write(dir.path().join("later"), ""));
        assert!(hand.settle().is_err());
        assert!(hand.settle().is_err(), "the second job will never be done");
        assert!(!dir.path().join("later").exists());
        hand.give(write(dir.path().join("later"), ""));
        assert!(hand.settle().is_err(), "nor will any other");
    }

    #[test]
    fn dropping_the_hand_waits_for_what_it_was_given() {
        let (dir, mut hand) = hand();
        for n in 0..100 {
            hand.give(write(dir.path().join(n.to_string()), "text"));
        }
        drop(hand);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 100);
    }
}
