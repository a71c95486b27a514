//! Mistakes that are made on purpose after a round that was found good: each must be caught by its oracle.

use std::path::PathBuf;

use axum::{body::Body, http::Request};
use bailiwick_evidence::{Log, Reader, Signer, VerifierKey};
use bailiwick_lab::Lab;
use tower::ServiceExt as _;

use crate::{
    company::{
        oracle::{self, Seen, Violation},
        people::Person,
        systems::tokens,
    },
    script::SYSTEMS,
};

/// Plants each, one after the other.
pub async fn all_are_caught(
    lab: &Lab,
    people: &[Person],
    folders: &[PathBuf],
    key: &VerifierKey,
) -> Result<(), Violation> {
    let left = people.iter().find(|person| person.left).unwrap();
    let back = activated(lab, left, true).await;
    caught("somebody who left is let back in", "truth", oracle::truth(&back, people))?;
    caught("somebody who left is given something", "once", oracle::once(&back))?;
    let works = people.iter().find(|person| !person.left).unwrap();
    let twice = {
        let mut twice = back;
        let (_, truth, ledger) = &mut twice.systems[0];
        let id = &truth.user(&works.email()).unwrap().id;
        let made = ledger.iter().find(|entry| entry.user.as_ref() == Some(id)).unwrap().clone();
        ledger.insert(0, made);
        twice
    };
    caught("an effect that happened twice", "once", oracle::once(&twice))?;
    let other = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(folders[0].join("log-key")).unwrap();
    let mut log = Log::open(&other.path().join("log"), Signer::parse(text.trim()).unwrap()).unwrap();
    let second = Reader::new(&folders[0].join("log")).at(2).entry(1).unwrap();
    log.append(&[&second]).unwrap();
    log.publish().unwrap();
    let mut folders = folders.to_vec();
    folders[1] = other.path().to_owned();
    caught("a log that tells another history", "logs", oracle::logs(&folders, key))
}

fn caught(bug: &str, oracle: &str, judged: Result<(), Violation>) -> Result<(), Violation> {
    match judged {
        Err(violation) if violation.oracle == oracle => {
            println!("planted {bug}: caught by `{oracle}`");
            Ok(())
        }
        other => Err(Violation { oracle: "planted", what: format!("`{oracle}` misses {bug}: {other:?}") }),
    }
}

/// What is seen after somebody with the integration's own token made an account active or not.
async fn activated(lab: &Lab, person: &Person, active: bool) -> Seen {
    let system = SYSTEMS[0];
    let id = lab.truth(system).unwrap().user(&person.email()).unwrap().id.clone();
    let body = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": active }]
    });
    let request = Request::patch(format!("/{system}/scim/v2/Users/{id}"))
        .header("authorization", format!("Bearer {}", tokens(system).write))
        .header("content-type", "application/scim+json")
        .body(Body::from(body.to_string()));
    let answer = lab.router().oneshot(request.unwrap()).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    Seen::of(lab)
}
