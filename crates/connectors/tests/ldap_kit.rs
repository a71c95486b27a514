//! The LDAP connector against a directory in this process.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[path = "support/ldap_fake.rs"]
mod ldap_fake;
#[path = "support/page.rs"]
mod page;

use bailiwick_connector::testkit;
use ldap_bench::{Bench, settings};
use ldap_fake::{Fake, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds() {
    for (locks, configured, session_log) in
        [(true, true, true), (true, true, false), (false, true, true), (false, false, false)]
    {
        let tree = Fake::new(Setup { locks, session_log });
        page::kept(&testkit::run(&Bench::new(tree, &settings(configured), locks)).await);
    }
    page::all_kept("the_contract_holds");
}
