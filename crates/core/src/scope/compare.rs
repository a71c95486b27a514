//! Is one scope inside another? Decided by exact inclusion of sets, part by part, never by trust.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{Scope, ScopeRule};
use crate::limit::{Limit, Population};

/// How something stands to what was certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// It allows the same.
    Same,
    /// It allows less, and nothing else.
    Narrower,
    /// It allows something else, whatever it also gives up.
    Wider {
        /// What is outside of what was certified, in words. Never empty.
        beyond: Vec<String>,
    },
}

impl Comparison {
    /// Puts together what was found out in both directions: what is beyond the certified, and whether the
    /// certified is all inside.
    pub(crate) fn of(beyond: Vec<String>, gives_up: bool) -> Self {
        match (beyond.is_empty(), gives_up) {
            (false, _) => Self::Wider { beyond },
            (true, true) => Self::Narrower,
            (true, false) => Self::Same,
        }
    }
}

impl Scope {
    /// Compares this scope with what was `certified`: part by part, each as a set.
    ///
    /// Scopes have the same parts: the calls that rules allow, the acts within the limits, the attributes,
    /// the entitlements, the population, and the budgets, where no budget is an infinite one. It is narrower
    /// when every part is inside the certified one and some part is smaller. Two scopes of which neither is
    /// inside the other are both wider than the other.
    pub fn compare(&self, certified: &Self) -> Comparison {
        let beyond = self.beyond(certified);
        let gives_up = beyond.is_empty() && !certified.beyond(self).is_empty();
        Comparison::of(beyond, gives_up)
    }

    /// What is allowed here and not by `other`.
    fn beyond(&self, other: &Self) -> Vec<String> {
        let acts: BTreeSet<_> = other.acts().collect();
        let mut beyond = rules_beyond(&self.rules, &other.rules);
        beyond.extend(self.acts().filter(|act| !acts.contains(act)).map(|act| format!("act `{act}`")));
        limit_beyond("attribute", &self.attributes, &other.attributes, &mut beyond);
        limit_beyond("entitlement", &self.entitlements, &other.entitlements, &mut beyond);
        population_beyond(&self.population, &other.population, &mut beyond);
        for (what, mine, theirs) in [
            ("writes a minute", self.writes_per_minute, other.writes_per_minute),
            ("accounts a run", self.objects_per_run, other.objects_per_run),
            (
                "percent of the population a day",
                self.population_percent.map(u32::from),
                other.population_percent.map(u32::from),
            ),
            ("privileged grants a day", self.privileged_per_day, other.privileged_per_day),
        ] {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) if mine > theirs => {
                    beyond.push(format!("{mine} {what}, {theirs} were certified"));
                }
                (None, Some(theirs)) => {
                    beyond.push(format!("any number of {what}, {theirs} were certified"));
                }
                (Some(_), Some(_)) | (_, None) => {}
            }
        }
        beyond
    }
}

/// The rules that no one rule of `others` covers.
///
/// Several rules together never cover more than each of them alone, so this is exact. Let some rules cover
/// all calls of rule R. One call of R is matched by no rule that does not cover R:
/// * R is a path: put a text that is a literal in no rule into every `{…}` of R (there is one: literals are
///   finitely many, texts are not). A rule that matches this path has `{…}` wherever R has one, and elsewhere
///   `{…}` or R's literal: it covers R.
/// * R is a subtree: take its base. A rule that matches the base names the base or an entry above it, so
///   everything below the base is inside: it covers R.
/// * R is a name or the root DSE: R is one call.
fn rules_beyond(rules: &[ScopeRule], others: &[ScopeRule]) -> Vec<String> {
    let covered = |rule: &&ScopeRule| others.iter().any(|other| rule.within(other));
    let outside: BTreeSet<&ScopeRule> = rules.iter().filter(|rule| !covered(rule)).collect();
    outside.into_iter().map(|rule| format!("call `{rule}`")).collect()
}

fn limit_beyond<T: Ord + fmt::Display>(
    what: &str,
    mine: &Limit<T>,
    theirs: &Limit<T>,
    beyond: &mut Vec<String>,
) {
    match (mine, theirs) {
        (_, Limit::Any) => {}
        (Limit::Any, Limit::Only(_)) => beyond.push(format!("every {what}")),
        (Limit::Only(mine), Limit::Only(theirs)) => {
            beyond.extend(mine.difference(theirs).map(|name| format!("{what} `{name}`")));
        }
    }
}

/// Each condition stands for itself: somebody who meets all conditions but one of `theirs` can always be
/// thought of, so conditions are compared one by one. Where no value does, nobody belongs.
fn population_beyond(mine: &Population, theirs: &Population, beyond: &mut Vec<String>) {
    if mine.is_nobody() {
        return;
    }
    for (name, values) in &theirs.0 {
        match mine.0.get(name) {
            None => beyond.push(format!("identities of any `{name}`")),
            Some(more) => beyond.extend(
                more.difference(values).map(|value| format!("identities whose `{name}` is `{value}`")),
            ),
        }
    }
}
