//! Budgets of an integration: what was used of them, and when they stop it.
//!
//! Nothing here slows down. Either there is room for all of a run, or the run is held, and everything after
//! it too, until somebody has looked and released it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::IntegrationName,
    scope::Scope,
    time::{Date, Timestamp},
};

/// Of so many writes in a minute those that are kept for leavers: a fifth, so that what is to be taken away never waits
/// for what is given.
pub const fn kept_for_leavers(writes_per_minute: u32) -> u32 {
    writes_per_minute / 5
}

/// How many pieces of work are remembered; the oldest are over.
const PIECES: usize = 256;

/// One of the budgets of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// Writes in a minute.
    WritesPerMinute,
    /// Accounts that one piece of work changes.
    ObjectsPerRun,
    /// The share of the known accounts that is changed in a day.
    PopulationPercent,
    /// Privileged entitlements that are given in a day.
    PrivilegedPerDay,
}

impl Budget {
    /// The name in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WritesPerMinute => "writes_per_minute",
            Self::ObjectsPerRun => "objects_per_run",
            Self::PopulationPercent => "population_percent",
            Self::PrivilegedPerDay => "privileged_per_day",
        }
    }
}

/// A budget that would not have been kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "BudgetBreach")]
pub struct Breach {
    /// Which.
    pub budget: Budget,
    /// How much of it was used.
    pub used: u64,
    /// How much there is.
    pub limit: u64,
    /// Since when the rest is held.
    pub since: Timestamp,
}

/// What an integration has used of its budgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// The integration.
    pub integration: IntegrationName,
    /// The day (UTC) that is counted.
    pub day: Date,
    /// How many known accounts were changed that day.
    pub accounts: u64,
    /// How many privileged entitlements were given that day.
    pub privileged: u64,
    /// How many accounts each piece of work changed, the latest last. A piece may be longer than a day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<(String, u64)>,
    /// Why everything is held, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Breach>,
}

/// What one run is about to use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// The piece of work that it belongs to, if others may belong to it too and it was not counted there.
    pub piece: Option<String>,
    /// Whether it changes an account that was there before and was not changed today.
    pub account: bool,
    /// How many privileged entitlements it gives.
    pub privileged: u64,
    /// Whether it takes away what a leaver had: what others are held for does not hold it.
    pub leaver: bool,
}

impl Ledger {
    /// Nothing was used yet.
    pub const fn new(integration: IntegrationName, day: Date) -> Self {
        Self { integration, day, accounts: 0, privileged: 0, pieces: Vec::new(), held: None }
    }

    /// The day that `now` is in.
    pub fn day_of(now: Timestamp) -> Date {
        now.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// Takes what a run uses out of the budgets of the scope, all of it or nothing. `known` is how many
    /// accounts its system is known to have. After a breach everything is held.
    pub fn take(&mut self, scope: &Scope, wanted: &Use, known: u64, now: Timestamp) -> Result<(), Breach> {
        if let Some(breach) = self.held.as_ref().filter(|_| !wanted.leaver) {
            return Err(breach.clone());
        }
        let day = Self::day_of(now);
        if day != self.day {
            (self.day, self.accounts, self.privileged) = (day, 0, 0);
        }
        let of_piece = wanted.piece.as_ref().map_or(0, |piece| self.of(piece));
        let share = scope.population_percent.map(|percent| (known * u64::from(percent)).div_ceil(100));
        let per_run = scope.objects_per_run.map(u64::from);
        let privileged = scope.privileged_per_day.map(u64::from);
        let one = u64::from(wanted.account);
        let over = [
            (Budget::ObjectsPerRun, of_piece, 1, per_run),
            (Budget::PopulationPercent, self.accounts, one, share),
            (Budget::PrivilegedPerDay, self.privileged, wanted.privileged, privileged),
        ]
        .into_iter()
        .find_map(|(budget, used, more, limit)| {
            let limit = limit.filter(|limit| more > 0 && used + more > *limit)?;
            Some(Breach { budget, used, limit, since: now })
        });
        if let Some(breach) = over {
            return Err(self.held.get_or_insert(breach).clone());
        }
        self.accounts += one;
        self.privileged += wanted.privileged;
        if let Some(piece) = &wanted.piece {
            self.pieces.retain(|(name, _)| name != piece);
            self.pieces.push((piece.clone(), of_piece + 1));
            let old = self.pieces.len().saturating_sub(PIECES);
            self.pieces.drain(..old);
        }
        Ok(())
    }

    fn of(&self, piece: &str) -> u64 {
        self.pieces.iter().find(|(name, _)| name == piece).map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3_600).unwrap()
    }

    fn ledger() -> Ledger {
        Ledger::new(IntegrationName::new("chat").unwrap(), Ledger::day_of(at(0)))
    }

    fn run(piece: Option<&str>, account: bool, privileged: u64) -> Use {
        Use { piece: piece.map(str::to_owned), account, privileged, leaver: false }
    }

    #[test]
    fn each_budget_stops_at_its_limit_and_says_so() {
        let check = |scope: Scope, uses: &[Use], known, expect: &[Option<(Budget, u64, u64)>]| {
            let mut ledger = ledger();
            for (wanted, expect) in uses.iter().zip(expect) {
                let got = ledger.take(&scope, wanted, known, at(0)).err();
                assert_eq!(got.map(|b| (b.budget, b.used, b.limit)), *expect, "{wanted:?}");
            }
            assert_eq!(uses.len(), expect.len());
        };
        let per_run = Scope { objects_per_run: Some(2), ..Scope::default() };
        let (a, b) = (run(Some("a"), true, 0), run(Some("b"), true, 0));
        check(
            per_run.clone(),
            &[a.clone(), b.clone(), a.clone(), a.clone(), b.clone()],
            9,
            // What is held is held whole: also the piece that had room.
            &[None, None, None, Some((Budget::ObjectsPerRun, 2, 2)), Some((Budget::ObjectsPerRun, 2, 2))],
        );
        check(per_run, &[run(None, true, 0), run(None, true, 0), run(None, true, 0)], 9, &[None, None, None]);
        let nothing = Scope { objects_per_run: Some(0), ..Scope::default() };
        check(nothing, &[run(None, false, 0)], 9, &[Some((Budget::ObjectsPerRun, 0, 0))]);

        let share = Scope { population_percent: Some(10), ..Scope::default() };
        let (old, new) = (run(None, true, 0), run(None, false, 0));
        // A tenth of 11, rounded up; new accounts are no part of what is known.
        check(
            share.clone(),
            &[old.clone(), new.clone(), new.clone(), old.clone(), old.clone()],
            11,
            &[None, None, None, None, Some((Budget::PopulationPercent, 2, 2))],
        );
        check(share, &[new, old], 0, &[None, Some((Budget::PopulationPercent, 0, 0))]);

        let power = Scope { privileged_per_day: Some(3), ..Scope::default() };
        check(
            power,
            &[run(None, true, 2), run(None, true, 0), run(None, true, 2), run(None, true, 0)],
            9,
            // All of a run or nothing of it.
            &[None, None, Some((Budget::PrivilegedPerDay, 2, 3)), Some((Budget::PrivilegedPerDay, 2, 3))],
        );
    }

    #[test]
    fn a_leaver_is_held_by_their_own_use_and_not_by_that_of_others() {
        let scope = Scope { objects_per_run: Some(2), ..Scope::default() };
        let leaver = |piece| Use { leaver: true, ..run(Some(piece), true, 0) };
        let mut ledger = ledger();
        for _ in 0..2 {
            ledger.take(&scope, &run(Some("flood"), true, 0), 9, at(0)).unwrap();
        }
        let breach = ledger.take(&scope, &run(Some("flood"), true, 0), 9, at(0)).unwrap_err();
        ledger.take(&scope, &leaver("gone"), 9, at(0)).unwrap();
        ledger.take(&scope, &leaver("gone"), 9, at(0)).unwrap();
        // A third one in the same delivery is more than may change in one; the first breach stays the one that is told.
        assert_eq!(ledger.take(&scope, &leaver("gone"), 9, at(1)), Err(breach.clone()));
        assert_eq!(ledger.held, Some(breach));
    }

    #[test]
    fn a_new_day_has_new_budgets_and_releases_nothing() {
        let scope = Scope { privileged_per_day: Some(1), objects_per_run: Some(2), ..Scope::default() };
        let mut ledger = ledger();
        ledger.take(&scope, &run(Some("a"), true, 1), 9, at(0)).unwrap();
        ledger.take(&scope, &run(Some("a"), true, 1), 9, at(24)).unwrap();
        assert_eq!((ledger.day, ledger.privileged, ledger.accounts), (Ledger::day_of(at(24)), 1, 1));
        // A piece of work is as long as it is.
        let breach = ledger.take(&scope, &run(Some("a"), true, 0), 9, at(48)).unwrap_err();
        assert_eq!((breach.budget, breach.used), (Budget::ObjectsPerRun, 2));
        assert_eq!(ledger.take(&scope, &run(None, true, 0), 9, at(96)), Err(breach));
        ledger.held = None;
        ledger.take(&scope, &run(None, true, 1), 9, at(96)).unwrap();
    }
}
