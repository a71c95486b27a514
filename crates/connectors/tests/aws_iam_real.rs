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
#[path = "support/moto.rs"]
mod moto;
#[path = "support/page.rs"]
mod page;

use aws_subject::Iam;
use bailiwick_connector::testkit;
use moto::Moto;

#[tokio::test]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Iam::new(Moto::start().await)).await);
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
}
