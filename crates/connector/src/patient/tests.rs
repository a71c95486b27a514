//! Which failures of reads are tried again, after which pauses, and that changes never are.

use std::sync::Mutex;

use bailiwick_core::{
    id::{IntegrationName, SystemName, Tenant},
    integration::{Integration, Purpose, Role, Standing},
    scope::Scope,
};

use super::*;
use crate::{
    Broker, Effect, Outcome,
    broker::{HttpLimits, HttpTransport},
    seal::SealKey,
    testkit::{Hands, Seeded},
};

/// Gives the answers that it was told, in order; then succeeds.
#[derive(Default)]
struct Scripted {
    capability: Capability,
    errors: Mutex<Vec<(ConnectorError, bool)>>,
    calls: Mutex<u32>,
}

impl Scripted {
    fn answer(&self) -> Result<(), (ConnectorError, bool)> {
        *self.calls.lock().unwrap() += 1;
        let mut errors = self.errors.lock().unwrap();
        if errors.is_empty() { Ok(()) } else { Err(errors.remove(0)) }
    }
}

#[async_trait]
impl Connector for Scripted {
    fn capability(&self) -> &Capability {
        &self.capability
    }
    async fn check(&self, _: &Line) -> Result<()> {
        self.answer().map_err(|(e, _)| e)
    }
    async fn list(
        &self,
        _: &Line,
        _: Listing<'_>,
        _: Option<&str>,
        _: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        match self.answer() {
            Ok(()) => visit(Object::default()),
            Err((error, shown)) => {
                if shown {
                    visit(Object::default());
                }
                return Err(error);
            }
        }
        Ok(Page { next: None, complete: true })
    }
    async fn get(&self, _: &Line, _: Locator<'_>) -> Result<Option<Object<'static>>> {
        self.answer().map(|()| None).map_err(|(e, _)| e)
    }
    async fn apply(&self, _: &Line, _: Option<&str>, _: &Op, _: Option<&str>, _: &str) -> Result<Applied> {
        self.answer().map_err(|(e, _)| e)?;
        let answer = bailiwick_core::digest::Digest::of(b"");
        Ok(Applied { outcome: Outcome::Done, external_id: None, version: None, answer })
    }
}

#[derive(Default)]
struct Pauses(Mutex<Vec<u64>>);

#[async_trait]
impl Pause for Pauses {
    async fn pause(&self, time: Duration) {
        self.0.lock().unwrap().push(u64::try_from(time.as_millis()).unwrap());
    }
}

fn line() -> Line {
    let integration = Integration {
        name: IntegrationName::new("chat").unwrap(),
        purpose: String::new(),
        owner: String::new(),
        backup: String::new(),
        connector: String::new(),
        endpoint: String::new(),
        role: Role::Target { system: SystemName::new("chat").unwrap() },
        scope: Scope::default(),
        settings: serde_json::Value::Null,
        standing: Standing::Enabled,
        register: Default::default(),
        gates: Default::default(),
        kill: None,
    };
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key).line(
        &integration,
        Purpose::Write,
        None,
    )
}

fn error(kind: ErrorKind, after: Option<u64>) -> ConnectorError {
    let retry_after = after.map(Duration::from_millis);
    ConnectorError { kind, effect: Effect::None, detail: None, retry_after, message: "no".into() }
}

#[tokio::test]
async fn reads_are_tried_again_as_long_as_that_can_help() {
    use ErrorKind::{
        Forbidden, Malformed, Quarantined, RateLimited, Stale, SystemFault, Timeout, Unreachable,
    };
    type Case = (&'static [(ErrorKind, Option<u64>)], &'static [u64], bool);
    let cases: [Case; 11] = [
        (&[], &[], true),
        (&[(Unreachable, None)], &[200], true),
        (&[(Unreachable, None), (Timeout, None), (SystemFault, None)], &[200, 400, 800], true),
        (&[(Timeout, None), (Timeout, None), (Timeout, None), (Timeout, None)], &[200, 400, 800], false),
        (&[(RateLimited, Some(3_000)), (RateLimited, Some(10))], &[3_000, 400], true),
        (&[(RateLimited, Some(10_000)), (SystemFault, Some(0))], &[10_000, 400], true),
        (&[(RateLimited, Some(10_001))], &[], false),
        (&[(RateLimited, Some(3_600_000))], &[], false),
        (&[(Forbidden, None)], &[], false),
        (&[(Stale, None)], &[], false),
        (&[(Timeout, None), (Malformed, None), (Quarantined, None)], &[200], false),
    ];
    let line = line();
    for (script, pauses, good) in cases {
        for read in ["check", "list", "get"] {
            let errors = script.iter().map(|(kind, after)| (error(*kind, *after), false)).collect();
            let scripted = Arc::new(Scripted { errors: Mutex::new(errors), ..Scripted::default() });
            let recorded = Arc::new(Pauses::default());
            let patient = Patient::new(scripted.clone(), Patience::default(), recorded.clone());
            let mut shown = 0;
            let mut visit = |_: Object<'_>| shown += 1;
            let got = match read {
                "check" => patient.check(&line).await,
                "list" => patient.list(&line, Listing::People, None, 1, &mut visit).await.map(drop),
                _ => patient.get(&line, Locator::Person("1")).await.map(drop),
            };
            assert_eq!(got.is_ok(), good, "{read} {script:?}");
            assert_eq!(*recorded.0.lock().unwrap(), pauses, "{read} {script:?}");
            assert_eq!(*scripted.calls.lock().unwrap() as usize, pauses.len() + 1, "{read} {script:?}");
            assert_eq!(shown, i32::from(good && read == "list"));
        }
    }
}

#[tokio::test]
async fn changes_and_pages_that_were_shown_in_part_are_never_tried_again() {
    let line = line();
    let recorded = Arc::new(Pauses::default());
    let errors = || Mutex::new(vec![(error(ErrorKind::Timeout, None), true)]);
    let scripted = Arc::new(Scripted { errors: errors(), ..Scripted::default() });
    let patient = Patient::new(scripted.clone(), Patience::default(), recorded.clone());
    assert!(patient.apply(&line, Some("1"), &Op::Enable, None, "k").await.is_err());
    assert_eq!(*scripted.calls.lock().unwrap(), 1);

    let scripted = Arc::new(Scripted { errors: errors(), ..Scripted::default() });
    let patient = Patient::new(scripted.clone(), Patience::default(), recorded.clone());
    let mut shown = 0;
    let mut visit = |_: Object<'_>| shown += 1;
    assert!(patient.list(&line, Listing::People, None, 1, &mut visit).await.is_err());
    assert_eq!((*scripted.calls.lock().unwrap(), shown), (1, 1));
    assert!(recorded.0.lock().unwrap().is_empty());
}
