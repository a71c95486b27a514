//! Every store passes the same suite.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bailiwick_store::{
    open,
    testkit::{Bed, image::Sitter},
};

mod memory {
    use super::*;

    async fn bed() -> (Bed, ()) {
        (Bed { store: open("sqlite::memory:").await.unwrap(), one_connection: true, at_once: false }, ())
    }

    bailiwick_store::conformance!(bed().await);
}

mod image {
    use super::*;

    async fn bed() -> (Bed, ()) {
        let image = Sitter::new().await.unwrap().image().await.unwrap();
        (Bed { store: image.store().unwrap(), one_connection: true, at_once: true }, ())
    }

    bailiwick_store::conformance!(bed().await);
}

mod file {
    use super::*;

    async fn bed() -> (Bed, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path().join("hub.db").to_str().unwrap()).await.unwrap();
        (Bed { store, one_connection: false, at_once: false }, directory)
    }

    bailiwick_store::conformance!(bed().await);
}

mod postgres {
    use super::*;

    async fn bed() -> Option<(Bed, ())> {
        let address = bailiwick_store::testkit::postgres::database().await?;
        Some((Bed { store: open(&address).await.unwrap(), one_connection: false, at_once: false }, ()))
    }

    bailiwick_store::conformance!(match bed().await {
        Some(bed) => bed,
        None => return println!("skipped: told to test without PostgreSQL"),
    });
}

#[test]
fn every_sentence_is_in_the_suite() {
    let suite = include_str!("../src/testkit/mod.rs");
    let sources = [
        include_str!("../src/testkit/gathered.rs"),
        include_str!("../src/testkit/rows.rs"),
        include_str!("../src/testkit/queue.rs"),
        include_str!("../src/testkit/log.rs"),
    ];
    let mut sentences = 0;
    for line in sources.iter().flat_map(|source| source.lines()) {
        if let Some(rest) = line.strip_prefix("pub async fn ") {
            let name = rest.split('(').next().unwrap();
            assert!(
                suite.split_whitespace().any(|word| word.trim_end_matches(';') == name),
                "{name} is never run"
            );
            sentences += 1;
        }
    }
    assert!(sentences > 30);
}
