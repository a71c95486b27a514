//! The loop that does the queued work and publishes the evidence of it.
//!
//! Promises: what was queued before [`Worker::quiet`] was called is looked at before it says quiet; a
//! failing store stops nothing for good, it is tried again. What another process queued is heard of at once where the
//! store can tell, and looked for now and then in any case. Absent: any state; the queue is in the store.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bailiwick_core::time::{SignedDuration, Timestamp};
use bailiwick_engine::{CheckReport, Engine, EngineError, Sequencer, Slow};
use bailiwick_store::Store;
use tokio::{
    sync::{Mutex, Notify, watch},
    task::{JoinHandle, JoinSet},
};

use crate::problem::chain;

/// The longest sleep while there is nothing to do: other hubs on the same store can queue work too.
const IDLE: Duration = Duration::from_millis(250);
/// The same where the store tells of that: one that died before it rang is all that is looked for.
const IDLE_TOLD: Duration = Duration::from_secs(2);
/// The same for leavers: those who come by this hub are told at once.
const IDLE_LEAVERS: Duration = Duration::from_secs(1);
/// The pause after the store failed.
const FAILED: Duration = Duration::from_secs(1);
/// How soon after a publication the next one is: what many small requests write is published together.
const TOGETHER: SignedDuration = SignedDuration::from_millis(50);
/// How often the last publication is tried while another process publishes, and the pause between.
const LAST_TRIES: (u32, Duration) = (20, IDLE);
/// How long the end waits for what takes long.
const LAST_SLOW: Duration = Duration::from_secs(10);
/// When the evidence is checked first after a start, and how often after that.
const CHECKED: (SignedDuration, SignedDuration) =
    (SignedDuration::from_mins(10), SignedDuration::from_hours(24));
/// Quiet is when nothing is due this soon.
const SOON: SignedDuration = SignedDuration::from_secs(5);

/// Hears of work that other processes queue.
#[derive(Default)]
struct Ear {
    /// Whether the bell is heard at this moment.
    hears: AtomicBool,
}

impl Ear {
    /// Nudges with each ring; ends where nothing can be heard.
    async fn run(&self, store: &dyn Store, nudge: impl Fn()) {
        loop {
            match store.bell().await {
                Ok(None) => return,
                Ok(Some(mut bell)) => {
                    self.hears.store(true, Ordering::SeqCst);
                    // It may have rung before it was heard.
                    nudge();
                    while let Ok(()) = bell.rings().await {
                        nudge();
                    }
                    self.hears.store(false, Ordering::SeqCst);
                }
                Err(error) => tracing::debug!(failing = chain(&error), "cannot hear of work"),
            }
            tokio::time::sleep(FAILED).await;
        }
    }

    /// The longest sleep.
    fn idle(&self) -> Duration {
        if self.hears.load(Ordering::SeqCst) { IDLE_TOLD } else { IDLE }
    }
}

/// What takes long, beside the loops.
#[derive(Default)]
struct Beside(Mutex<JoinSet<()>>);

impl Beside {
    /// How much is under way.
    async fn under_way(&self) -> usize {
        let mut under_way = self.0.lock().await;
        while under_way.try_join_next().is_some() {}
        under_way.len()
    }

    /// Begins more; gives how much is under way.
    async fn begin(&self, engine: &Arc<Engine>, begun: Vec<Slow>) -> usize {
        let mut under_way = self.0.lock().await;
        for slow in begun {
            let engine = engine.clone();
            under_way.spawn(async move {
                if let Err(error) = engine.carry_out(slow).await {
                    tracing::error!(failing = chain(&error), code = error.code(), "cannot work");
                }
            });
        }
        while under_way.try_join_next().is_some() {}
        under_way.len()
    }

    /// Waits a little, then leaves it: the next start does it again.
    async fn end(&self) {
        let mut under_way = self.0.lock().await;
        let ended = async { while under_way.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_SLOW, ended).await.is_err() {
            tracing::info!("what takes long is left; the next start takes it up");
            under_way.shutdown().await;
        }
    }
}

/// The loop for leavers, which never wait for what the other one is at.
#[derive(Default)]
struct Leavers {
    nudged: Notify,
    /// How often it has done something.
    turns: AtomicU64,
    busy: AtomicBool,
    stopped: AtomicBool,
}

impl Leavers {
    /// Works until it is stopped. The other loop does leavers too, so that one that cannot get on here is not lost.
    async fn run(&self, engine: &Arc<Engine>, beside: &Beside) {
        while !self.stopped.load(Ordering::SeqCst) {
            self.busy.store(true, Ordering::SeqCst);
            let taken = match engine.work_on_leavers().await {
                Ok(found) => {
                    beside.begin(engine, found.slow).await;
                    found.taken
                }
                Err(error) => {
                    tracing::error!(failing = chain(&error), code = error.code(), "cannot work on leavers");
                    tokio::time::sleep(FAILED).await;
                    0
                }
            };
            if taken > 0 {
                self.turns.fetch_add(1, Ordering::SeqCst);
            }
            self.busy.store(false, Ordering::SeqCst);
            if taken == 0 {
                tokio::select! {
                    () = self.nudged.notified() => {}
                    () = tokio::time::sleep(IDLE_LEAVERS) => {}
                }
            }
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.nudged.notify_one();
    }

    /// How often it has done something, and whether it is at it.
    fn state(&self) -> (u64, bool) {
        (self.turns.load(Ordering::SeqCst), self.busy.load(Ordering::SeqCst))
    }
}

/// What the loop last found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Counts the turns of the loop.
    turn: u64,
    /// Whether nothing is due within five seconds.
    pub quiet: bool,
    /// When the next is due.
    pub next: Option<Timestamp>,
    /// Why the loop cannot work at the moment.
    pub failing: Option<String>,
}

/// The loop.
pub struct Worker {
    engine: Arc<Engine>,
    sequencer: Arc<Sequencer>,
    turns: AtomicU64,
    nudged: Arc<Notify>,
    leavers: Arc<Leavers>,
    ear: Arc<Ear>,
    beside: Arc<Beside>,
    /// When the evidence was last published.
    published: std::sync::Mutex<Option<Timestamp>>,
    /// When the evidence is to be checked next.
    check_due: std::sync::Mutex<Timestamp>,
    pulse: watch::Sender<Pulse>,
}

impl Worker {
    /// A loop that is not running yet.
    pub fn new(engine: Arc<Engine>, sequencer: Arc<Sequencer>) -> Self {
        let pulse = watch::Sender::new(Pulse::default());
        let first = engine.now().saturating_add(CHECKED.0).unwrap_or(Timestamp::MAX);
        Self {
            check_due: std::sync::Mutex::new(first),
            engine,
            sequencer,
            turns: AtomicU64::new(0),
            nudged: Arc::default(),
            leavers: Arc::default(),
            ear: Arc::default(),
            beside: Arc::default(),
            published: std::sync::Mutex::default(),
            pulse,
        }
    }

    /// Tells the loop that something was queued.
    pub fn nudge(&self) {
        self.leavers.nudged.notify_one();
        self.nudged.notify_one();
    }

    /// What the loop last found.
    pub fn pulse(&self) -> Pulse {
        self.pulse.borrow().clone()
    }

    /// Waits until everything queued so far is done and nothing else is due soon, at most for `patience`.
    pub async fn quiet(&self, patience: Duration) -> Pulse {
        let begun = self.turns.load(Ordering::SeqCst);
        let mut pulses = self.pulse.subscribe();
        self.nudge();
        let quiet = pulses.wait_for(|pulse| pulse.turn > begun && pulse.quiet);
        match tokio::time::timeout(patience, quiet).await {
            Ok(Ok(pulse)) => pulse.clone(),
            Ok(Err(_)) | Err(_) => Pulse { quiet: false, ..self.pulse() },
        }
    }

    /// Works until `stop` resolves; the item at hand is finished and published.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        tokio::pin!(stop);
        let (leavers, engine, beside) = (self.leavers.clone(), self.engine.clone(), self.beside.clone());
        let leavers = tokio::spawn(async move { leavers.run(&engine, &beside).await });
        let hearing = self.hear();
        loop {
            let turn = self.turns.fetch_add(1, Ordering::SeqCst) + 1;
            let pause = self.turn(turn).await;
            tokio::select! {
                () = &mut stop => break,
                () = self.nudged.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        hearing.abort();
        self.leavers.stop();
        if leavers.await.is_err() {
            tracing::error!("the loop for leavers ended abnormally; what it held is taken up again");
        }
        self.beside.end().await;
        match self.publish_last(LAST_TRIES).await {
            Ok(true) => {}
            Ok(false) => tracing::info!("another process publishes; it or the next start takes the rest"),
            Err(error) => tracing::error!(error, "the evidence is not published yet; the next start does it"),
        }
    }

    /// Begins to hear of what other processes queue.
    fn hear(&self) -> JoinHandle<()> {
        let (ear, engine) = (self.ear.clone(), self.engine.clone());
        let (nudged, leavers) = (self.nudged.clone(), self.leavers.clone());
        tokio::spawn(async move {
            let nudge = || {
                leavers.nudged.notify_one();
                nudged.notify_one();
            };
            ear.run(&*engine.parts().store, nudge).await;
        })
    }

    /// Says what fails, once: it is tried again several times a second.
    fn tell(&self, what: &'static str, failing: &str) {
        if self.pulse().failing.as_deref() != Some(failing) {
            tracing::error!(failing, "{what}");
        }
    }

    /// Does what is due; gives back how long there is nothing to do.
    async fn turn(&self, turn: u64) -> Duration {
        let (before, _) = self.leavers.state();
        // What ends while the queue is looked at may have queued more.
        let beside = self.beside.under_way().await;
        let found = match self.engine.work().await {
            Ok(found) => found,
            Err(error) => {
                let failing = format!("{} [{}]", chain(&error), error.code());
                self.tell("cannot work", &failing);
                self.pulse.send_replace(Pulse { turn, failing: Some(failing), ..self.pulse() });
                return FAILED;
            }
        };
        let slow = self.beside.begin(&self.engine, found.slow).await;
        let wait = self.not_yet();
        // While another process publishes there is nothing wrong: the next turn tries again.
        let failing = match wait {
            Some(_) => self.pulse().failing,
            None => self.publish().await.err(),
        };
        failing.iter().for_each(|failing| self.tell("cannot publish the evidence", failing));
        let now = self.engine.now();
        if self.is_to_check(now) {
            self.check();
        }
        let due = found.next.map(|next| next.duration_since(now));
        let leavers = self.leavers.state() == (before, false);
        let idle = found.taken == 0 && beside == 0 && slow == 0 && leavers && wait.is_none();
        let quiet = idle && due.is_none_or(|due| due > SOON);
        self.pulse.send_replace(Pulse { turn, quiet, next: found.next, failing });
        let pause = self.ear.idle().min(wait.unwrap_or(Duration::MAX));
        match due {
            _ if found.taken > 0 => Duration::ZERO,
            Some(due) => pause.min(Duration::try_from(due).unwrap_or_default()),
            None => pause,
        }
    }

    /// Whether the evidence is to be checked now; then it is not for a day.
    fn is_to_check(&self, now: Timestamp) -> bool {
        let mut due = self.check_due.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = *due <= now;
        if is_due {
            *due = now.saturating_add(CHECKED.1).unwrap_or(Timestamp::MAX);
        }
        is_due
    }

    /// Checks the whole evidence on a thread of its own: it reads every byte of the log. Nothing waits for it.
    fn check(&self) {
        let (engine, sequencer) = (self.engine.clone(), self.sequencer.clone());
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || match runtime.block_on(engine.watch_evidence(&sequencer)) {
            Ok(CheckReport { damage: Some(damage), .. }) => {
                tracing::error!(code = damage.code, "the evidence is damaged: {}", damage.message);
            }
            Ok(CheckReport { entries, rows, .. }) => {
                tracing::info!(entries, rows, "the evidence is what it was");
            }
            // Another process publishes or checks; the next day it is this one's turn again.
            Err(EngineError::LogBusy(_)) => {}
            Err(error) => {
                tracing::error!(failing = chain(&error), code = error.code(), "cannot check the evidence");
            }
        });
    }

    /// How long the next publication is not due yet, if so; else it begins now.
    fn not_yet(&self) -> Option<Duration> {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.engine.now();
        let wait = still_to_wait(*published, now);
        if wait.is_none() {
            *published = Some(now);
        }
        wait
    }

    /// Whether everything so far is published; not while another process publishes.
    async fn publish(&self) -> Result<bool, String> {
        match self.sequencer.publish(self.engine.now()).await {
            Ok(_) => Ok(true),
            Err(EngineError::LogBusy(_)) => {
                tracing::debug!("another process publishes");
                Ok(false)
            }
            Err(error) => Err(format!("{} [{}]", chain(&error), error.code())),
        }
    }

    /// Publishes when no turn will come any more: waits a little for a process that is at it.
    async fn publish_last(&self, (tries, pause): (u32, Duration)) -> Result<bool, String> {
        for _ in 1..tries {
            if self.publish().await? {
                return Ok(true);
            }
            tokio::time::sleep(pause).await;
        }
        self.publish().await
    }
}

/// How long a publication is not due yet after the last one. A clock that was set back makes nobody wait.
fn still_to_wait(last: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let since = now.duration_since(last?);
    let early = (SignedDuration::ZERO..TOGETHER).contains(&since);
    early.then(|| Duration::try_from(TOGETHER - since).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{environment::Environment, init};

    #[test]
    fn what_follows_soon_is_published_together() {
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let check = |last: Option<i64>, now: i64, expect: Option<u64>| {
            assert_eq!(
                still_to_wait(last.map(at), at(now)),
                expect.map(Duration::from_millis),
                "{last:?} {now}"
            );
        };
        check(None, 1_000, None);
        check(Some(1_000), 1_000, Some(50));
        check(Some(1_000), 1_049, Some(1));
        check(Some(1_000), 1_050, None);
        check(Some(1_000), 900, None);
    }

    #[tokio::test]
    async fn another_process_that_publishes_is_no_failure_and_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let start = init::Start {
            dir: dir.path().join("data"),
            store: None,
            operator: "ada".into(),
            person: None,
            origin: Some("bailiwick.test/log".into()),
        };
        let (opened, _) = init::set_up(start, &Environment::default()).await.unwrap();
        let store = bailiwick_store::open(&opened.folder.database().display().to_string()).await.unwrap();
        let worker = Worker::new(opened.engine.clone(), opened.sequencer.clone());
        let hold = async |lease_ms: i64| {
            let now = opened.engine.now().as_millisecond();
            let mut tx = store.begin().await.unwrap();
            assert!(tx.lock("sequencer", "another", now, lease_ms).await.unwrap().is_some());
            tx.commit().await.unwrap();
        };
        let size = || opened.sequencer.log().unwrap().size();
        assert_eq!(worker.publish().await, Ok(true));
        let before = size();

        hold(600_000).await;
        let by = bailiwick_core::record::Actor::Operator("ada".into());
        opened.engine.add_operator("bo", ["operator".to_owned()].into(), None, 1, by).await.unwrap();
        worker.turn(1).await;
        assert_eq!((worker.pulse().turn, worker.pulse().failing), (1, None));
        assert_eq!(worker.publish_last((2, Duration::ZERO)).await, Ok(false));
        assert_eq!(size(), before, "nothing is published behind the other's back");

        hold(0).await;
        assert_eq!(worker.publish_last((2, Duration::ZERO)).await, Ok(true));
        assert!(size() > before, "what waited is published");
    }
}
