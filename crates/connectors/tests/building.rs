//! What is built from an integration's settings, and how what is built bears a system that is busy.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/line.rs"]
mod line;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, ErrorKind, Line, Listing, Locator, Result,
    broker::{Transport, TransportError},
};
use bailiwick_connectors::{NAMES, build, build_patient};
use bailiwick_core::{integration::Purpose, plan::Op};
use bytes::Bytes;
use serde_json::{Value, json};

type Build = fn(&str, &Value) -> Result<Arc<dyn Connector>>;

#[test]
fn the_settings_of_the_broker_are_not_the_connectors() {
    let check = |kind: &str, settings: Value, expect: Result<(), &str>| {
        for build in [build as Build, build_patient] {
            let got = build(kind, &settings).map(drop);
            let Err(named) = expect else {
                assert_eq!(got, Ok(()), "{kind} {settings}");
                continue;
            };
            let error = got.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{kind} {settings}");
            assert!(error.message.contains(named), "{kind} {settings}: {error}");
        }
    };
    check("csv", json!({"key": "k"}), Ok(()));
    check("csv", json!({"key": "k", "auth": "none"}), Ok(()));
    check("scim", Value::Null, Ok(()));
    check("scim", json!({"auth": "none", "allow_plaintext": true, "update": "put"}), Ok(()));
    check("scim", json!({"auth": "sealed"}), Ok(()));
    check("scim", json!({"auth": "nobody"}), Err("`auth`"));
    check("scim", json!({"auth": "none", "colour": "red"}), Err("`colour`"));
    check("gopher", Value::Null, Err(&NAMES.join(", ")));
}

/// A system that wants to be left alone for so many seconds, and counts how often it is not.
struct Busy {
    seconds: &'static str,
    calls: AtomicU32,
}

#[async_trait]
impl Transport for Busy {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answer = http::Response::builder().status(429).header("retry-after", self.seconds);
        Ok(answer.body(Bytes::new()).unwrap())
    }
}

async fn ask(connector: &dyn Connector, line: &Line, what: &str) -> Result<()> {
    match what {
        "check" => connector.check(line).await,
        "list" => connector.list(line, Listing::Accounts, None, 10, &mut |_| {}).await.map(drop),
        "get" => connector.get(line, Locator::Account("1")).await.map(drop),
        _ => {
            let set = Op::SetAttributes { attributes: line::change(1) };
            connector.apply(line, Some("1"), &set, None, "key").await.map(drop)
        }
    }
}

/// Asks as far as it goes without waiting; `None` when it waits, else the error's `retry_after`.
fn asked(build: Build, what: &str, seconds: &'static str) -> Option<Option<Duration>> {
    let busy = Arc::new(Busy { seconds, calls: AtomicU32::new(0) });
    let connector = build("scim", &Value::Null).unwrap();
    let line = line::line(busy.clone(), "https://busy.test", "", "token", Purpose::Write);
    let got = pin!(ask(&*connector, &line, what)).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(busy.calls.load(Ordering::SeqCst), 1, "{what} {seconds}");
    match got {
        Poll::Pending => None,
        Poll::Ready(got) => {
            let error = got.unwrap_err();
            assert_eq!(error.kind, ErrorKind::RateLimited, "{what} {seconds}");
            Some(error.retry_after)
        }
    }
}

#[test]
fn only_reads_of_the_patient_one_wait_and_not_for_long() {
    let seconds = |n| Some(Some(Duration::from_secs(n)));
    // Without a timer, so that touching it where nothing is to be waited for is a panic.
    for what in ["check", "list", "get", "apply"] {
        assert_eq!(asked(build, what, "1"), seconds(1), "{what}");
        assert_eq!(asked(build_patient, what, "11"), seconds(11), "{what}");
    }
    assert_eq!(asked(build_patient, "apply", "1"), seconds(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _timer = runtime.enter();
    for what in ["check", "list", "get"] {
        assert_eq!(asked(build_patient, what, "1"), None, "{what}");
    }
}
