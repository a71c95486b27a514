//! The AWS IAM connector against a real server of its API, `moto` from PyPI. It checks signatures and
//! policies, and differs from AWS in what matters here: it lets inactive keys in, it deletes users that hold
//! keys, and it forgets the tags of a user that is renamed.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/aws_line.rs"]
mod aws_line;
#[path = "support/aws_scenarios.rs"]
mod aws_scenarios;
#[path = "support/aws_subject.rs"]
mod aws_subject;
#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/moto.rs"]
mod moto;
#[path = "support/page.rs"]
mod page;

use std::{path::Path, sync::Arc};

use aws_subject::Iam;
use bailiwick_connector::{
    Connector, Effect, ErrorKind,
    broker::{HttpLimits, HttpTransport},
    testkit::{self, Hands},
};
use bailiwick_connectors::aws_iam::AwsIam;
use bailiwick_core::integration::Purpose;
use certificate::certify;
use moto::{Moto, Protected};
use serde_json::json;

#[tokio::test]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Iam::new(Moto::start().await)).await);
    page::all_kept("the_contract_holds");
}

#[tokio::test]
async fn no_field_reaches_another_object() {
    aws_scenarios::no_field_reaches_another_object(&Iam::new(Moto::start().await)).await;
}

#[tokio::test]
async fn wrong_keys_are_found_and_a_key_that_still_works_too() {
    let iam = Iam::new(Moto::start().await);
    aws_scenarios::what_is_wrong_is_said(&iam).await;
    aws_scenarios::a_canary_tells_which_way_locks(&iam, false).await;
    aws_scenarios::temporary_credentials_are_ended(&iam).await;
}

#[tokio::test]
async fn only_the_named_authority_vouches_for_the_service() {
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [good, other, misnamed] = folders.each_ref().map(|folder| folder.path());
    certify(good, "IP:127.0.0.1");
    certify(other, "IP:127.0.0.1");
    certify(misnamed, "DNS:iam.acme.example");
    let (served, elsewhere) = (Protected::start(good).await, Protected::start(misnamed).await);
    let check = async |server: &Protected, trusted: Option<&Path>| {
        let settings = match trusted {
            Some(folder) => json!({"ca_file": folder.join("ca.pem").to_str().unwrap()}),
            None => json!({}),
        };
        let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        let endpoint = format!("https://127.0.0.1:{}", server.port);
        let key = ("AKIAIOSFODNN7EXAMPLE", "the-secret-of-the-hub");
        let clock = Arc::new(Hands::default());
        let line = aws_line::line_with(transport, (&endpoint, &settings), key, Purpose::Write, clock);
        AwsIam::new(&json!({})).unwrap().check(&line).await
    };
    check(&served, Some(good)).await.unwrap();
    for (server, trusted) in [(&served, Some(other)), (&elsewhere, Some(misnamed)), (&served, None)] {
        let error = check(server, trusted).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None), "{error}");
        assert!(error.message.contains("certificate") && !error.message.contains("the-secret"), "{error}");
    }
}
