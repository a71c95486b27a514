//! The contract kit: one test for each sentence that a connector promises.
//!
//! A test of a connector implements [`Subject`] for the connector and a system that it can look into,
//! and asserts the [`Report`] of [`run`]. Which sentences apply follows from the declared capability; one
//! that a subject cannot show is in the report as not applicable, with the reason. A sentence that a
//! connector is known to break stands in [`Subject::exceptions`]; when it holds after all the run fails
//! too, so the lists can only get shorter.
//!
//! What a sentence asserts, it asserts on the system's truth, which the subject reads by a path of its
//! own, and not on what the connector says alone: after a change both must be as asked.

mod auditing;
mod fixtures;
mod losing;
mod news;
mod reading;
mod report;
mod surroundings;
mod truth;
mod trying;
mod writing;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use bailiwick_core::{access::AccessClass, account::AccountAttributes};

pub use fixtures::{AccountFixture, Fixtures, GroupFixture, Ids, PersonFixture};
pub use losing::Losing;
pub use report::{Exception, Report, Row, Verdict};
pub use surroundings::{Hands, Seeded};
pub use truth::TrueAccount;

pub use crate::Sentence;
use crate::{Connector, ConnectorError, Line, Listing, Object};

/// A connector under test, with a system that can be looked into.
#[async_trait]
pub trait Subject: Send + Sync {
    /// What is tested, such as `scim × fake`.
    fn name(&self) -> String;

    /// The connector.
    fn connector(&self) -> Arc<dyn Connector>;

    /// A line that may do everything that the connector can.
    fn line(&self) -> Line;

    /// A line for reading back. Without one of its own, the line that writes.
    fn reader(&self) -> Line {
        self.line()
    }

    /// Makes the system hold exactly the fixtures, by another path than the connector, and gives the
    /// system's ids, in the order of the fixtures. The first account must also hold at least one thing
    /// of each class that the connector declares to observe or to remove.
    async fn seed(&self, fixtures: &Fixtures) -> Ids;

    /// Everything that the system truly holds, as text, read by another path than the connector. Equal
    /// texts mean that nothing was changed; so times of last access are not in it.
    async fn truth(&self) -> String;

    /// What the system truly holds of the account with this id, read by the path of [`truth`](Self::truth);
    /// `None` when it has no such account.
    async fn account(&self, id: &str) -> Option<TrueAccount>;

    /// What a new account with the sign-in name `name` is given.
    fn attributes(&self, _name: &str) -> AccountAttributes {
        AccountAttributes::new()
    }

    /// Attributes to set on an account; different values for different `n`.
    fn change(&self, _n: u32) -> AccountAttributes {
        AccountAttributes::new()
    }

    /// Something of the class that can be given to an account and that a new account does not hold.
    fn grantable(&self, _class: AccessClass, _ids: &Ids) -> Option<String> {
        None
    }

    /// Lets the connector's read lag pass.
    async fn settle(&self) {}

    /// Makes the answer to the next writing request get lost, after the system has done it. `false`
    /// when that cannot be arranged.
    fn lose_next_answer(&self) -> bool {
        false
    }

    /// Makes the system unable to show everything, until the next seed. `false` when that cannot be
    /// arranged.
    fn hide_part(&self) -> bool {
        false
    }

    /// How many writing requests have reached the system; `None` when that is not known.
    fn writes(&self) -> Option<u64> {
        None
    }

    /// The secret of the line's credential.
    fn secret(&self) -> Option<String> {
        None
    }

    /// The sentences that this connector is known to break.
    fn exceptions(&self) -> Vec<Exception> {
        Vec::new()
    }
}

/// Tests every sentence, each on a freshly seeded system.
pub async fn run(subject: &dyn Subject) -> Report {
    let mut rows = Vec::new();
    for sentence in Sentence::ALL {
        let ids = subject.seed(&Fixtures::standard()).await;
        let bench = Bench {
            subject,
            connector: subject.connector(),
            line: subject.line(),
            reader: subject.reader(),
            ids,
            sentence,
            keys: AtomicU32::new(0),
        };
        let verdict = match sentence {
            Sentence::DeclaredIsImplemented => reading::declared_is_implemented(&bench).await,
            Sentence::CheckChangesNothing => reading::check_changes_nothing(&bench).await,
            Sentence::ListVisitsEachOnce => reading::list_visits_each_once(&bench).await,
            Sentence::SaysWhenPartial => reading::says_when_partial(&bench).await,
            Sentence::GetAgreesWithList => reading::get_agrees_with_list(&bench).await,
            Sentence::ApplyThenGetHolds => writing::apply_then_get_holds(&bench).await,
            Sentence::SameKeyOnce => writing::same_key_once(&bench).await,
            Sentence::StaleIsRefused => writing::stale_is_refused(&bench).await,
            Sentence::AlreadySo => writing::already_so(&bench).await,
            Sentence::UnknownAttributeRefused => writing::unknown_attribute_refused(&bench).await,
            Sentence::LostAnswerIsUnknown => writing::lost_answer_is_unknown(&bench).await,
            Sentence::NeverWritesAgain => writing::never_writes_again(&bench).await,
            Sentence::RefusalHasNoEffect => writing::refusal_has_no_effect(&bench).await,
            Sentence::IdentifiersAreKept => reading::identifiers_are_kept(&bench).await,
            Sentence::TriedTells => trying::tried_tells(&bench).await,
            Sentence::NewsTells => news::news_tells(&bench).await,
            Sentence::AuditTells => auditing::audit_tells(&bench).await,
            Sentence::NothingSecretInDebug => reading::nothing_secret_in_debug(&bench).await,
        };
        rows.push(Row { sentence, verdict: verdict.unwrap_or_else(Verdict::Broken) });
    }
    Report::new(subject.name(), rows, &subject.exceptions())
}

/// What a test of a sentence comes to; the error says how the sentence is broken.
type Tested = Result<Verdict, String>;

/// A freshly seeded subject.
struct Bench<'s> {
    subject: &'s dyn Subject,
    connector: Arc<dyn Connector>,
    line: Line,
    reader: Line,
    ids: Ids,
    sentence: Sentence,
    /// How many keys were given out.
    keys: AtomicU32,
}

/// More pages than any fixture needs at one object a page.
const MOST_PAGES: usize = 1_000;

impl Bench<'_> {
    /// A key that no other change of this run has.
    fn key(&self) -> String {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        format!("kit-{}-{number}", self.sentence.text().replace(' ', "-"))
    }

    /// All objects of a listing, over all pages of `size`. Fails when the pages do not end.
    async fn list(&self, listing: Listing<'_>, size: u32) -> Result<Vec<Object<'static>>, ConnectorError> {
        self.pages(listing, size).await.map(|(objects, _)| objects)
    }

    /// The same, and whether all pages were complete.
    async fn pages(
        &self,
        listing: Listing<'_>,
        size: u32,
    ) -> Result<(Vec<Object<'static>>, bool), ConnectorError> {
        let (mut objects, mut complete, mut cursor) = (Vec::new(), true, None::<String>);
        for _ in 0..MOST_PAGES {
            let mut visit = |object: Object<'_>| objects.push(object.into_owned());
            let page =
                self.connector.list(&self.reader, listing, cursor.as_deref(), size, &mut visit).await?;
            complete &= page.complete;
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok((objects, complete)),
            }
        }
        Err(ConnectorError::none(crate::ErrorKind::Malformed, format!("{listing:?} has no last page")))
    }

    /// The listings that are declared.
    fn listings(&self) -> Vec<Listing<'_>> {
        let capability = self.connector.capability();
        let whole = [
            (capability.people, Listing::People),
            (capability.accounts, Listing::Accounts),
            (capability.groups, Listing::Groups),
        ];
        let mut listings: Vec<_> =
            whole.into_iter().filter(|(declared, _)| *declared).map(|(_, l)| l).collect();
        if let Some(account) = self.ids.accounts.first() {
            listings.extend(capability.observes.iter().map(|class| Listing::Held { account, class: *class }));
        }
        listings
    }

    async fn unchanged(&self, before: &str, what: &str) -> Result<(), String> {
        let after = self.subject.truth().await;
        if after == before {
            return Ok(());
        }
        let differs = before.lines().zip(after.lines()).find(|(b, a)| b != a);
        Err(format!("{what} changed the system: {differs:?}"))
    }
}

/// Fails with `problem` unless `so`.
fn ensure(so: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(problem()) }
}

/// An error of the connector where none was expected.
fn unexpected(what: &str) -> impl Fn(ConnectorError) -> String {
    move |error| format!("{what}: {} ({:?}): {error}", error.code(), error.effect)
}

#[cfg(test)]
mod tests;
