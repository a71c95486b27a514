//! The kit against a connector that keeps the contract, and against one planted bug for each sentence.

mod bugs;
mod system;
mod toy;

use super::*;
use bugs::{Bug, Deed};
use toy::Toy;

async fn verdict(toy: &Toy, sentence: Sentence) -> Verdict {
    let report = run(toy).await;
    report.rows.into_iter().find(|row| row.sentence == sentence).map(|row| row.verdict).unwrap()
}

#[tokio::test]
async fn a_connector_that_keeps_the_contract_passes_every_sentence() {
    let report = run(&Toy::new(None)).await;
    report.assert();
    assert!(report.rows.iter().all(|row| row.verdict == Verdict::Holds), "{report}");
    assert_eq!(report.markdown_row(), format!("| toy |{}", " ✓ |".repeat(Sentence::ALL.len())));
}

#[tokio::test]
async fn every_planted_bug_is_found_by_its_sentence() {
    for (bug, sentence) in Bug::ALL {
        let found = verdict(&Toy::new(Some(bug)), sentence).await;
        assert!(
            matches!(found, Verdict::Broken(_)),
            "{bug:?} is not found by `{}`: {found:?}",
            sentence.text()
        );
    }
    // And no sentence is without a bug that it finds.
    for sentence in Sentence::ALL {
        assert!(Bug::ALL.iter().any(|(_, s)| *s == sentence), "`{}` finds nothing", sentence.text());
    }
}

#[tokio::test]
async fn what_a_connector_only_remembers_is_not_believed() {
    for deed in Deed::ALL {
        let found = verdict(&Toy::new(Some(Bug::Pretends(deed))), Sentence::ApplyThenGetHolds).await;
        let Verdict::Broken(how) = found else { panic!("{deed:?} was pretended: {found:?}") };
        assert!(how.contains("the system truly has"), "{deed:?} is found by what the connector says: {how}");
    }
}

#[tokio::test]
async fn an_exception_holds_only_while_it_is_needed() {
    let known = |sentence| vec![Exception { sentence, reason: "known" }];
    let mut toy = Toy::new(Some(Bug::NoopDisable));
    toy.exceptions = known(Sentence::ApplyThenGetHolds);
    let report = run(&toy).await;
    report.assert();
    assert!(report.markdown_row().contains("| e |"));

    let mut toy = Toy::new(None);
    toy.exceptions = known(Sentence::SameKeyOnce);
    let report = run(&toy).await;
    let broken: Vec<_> = report.broken().collect();
    assert!(
        matches!(&broken[..], [Row { sentence: Sentence::SameKeyOnce, verdict: Verdict::Broken(why) }] if why.contains("not needed"))
    );
}
