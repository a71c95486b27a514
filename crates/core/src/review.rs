//! Reviews: somebody who does not answer for an integration looks at it anew, again and again.
//!
//! How often depends on the class: what decides who exists is looked at every month. Some things do not wait
//! for their day. A review that nobody does has consequences: first nothing more is given, then nothing is
//! written. Use alone never closes a review: it is shown, and a person decides.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    authority::Class,
    digest::Digest,
    gate::Gate,
    id::{FindingId, IntegrationName, ReviewId},
    integration::{self, Integration},
    scope::{Comparison, Operation, Scope, ScopeRule},
    scope_test::Tried,
    time::{SignedDuration, Timestamp},
};

/// Hours of a day: reviews count whole days from an instant, whatever the zone.
const DAY: i64 = 24;
/// Days after which a review that is due bars what widens.
pub const BARS_AFTER: i64 = 1;
/// Days after which a review that is due pauses writes.
pub const PAUSES_AFTER: i64 = 8;

/// How many days an integration of the class goes without a review.
pub const fn cadence(class: Class) -> i64 {
    match class {
        Class::Authoritative => 30,
        Class::Operational => 90,
        Class::Advisory => 180,
    }
}

/// So many days of 24 hours after an instant.
pub fn days_after(from: Timestamp, days: i64) -> Timestamp {
    from.saturating_add(SignedDuration::from_hours(days * DAY)).unwrap_or(from)
}

/// When the integration is to be reviewed next: its cadence after it was certified or reviewed, whichever was
/// later. Never, as long as nothing of it is approved.
pub fn due(integration: &Integration, class: Class, reviewed: Option<Timestamp>) -> Option<Timestamp> {
    let certified =
        Gate::ALL.into_iter().filter_map(|gate| integration.gates.of(gate)).map(|c| c.at).max()?;
    Some(days_after(certified.max(reviewed.unwrap_or(certified)), cadence(class)))
}

/// What became of a review that was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// Nothing yet.
    None,
    /// Nothing more is approved of the integration.
    Barred,
    /// It writes nothing.
    Paused,
}

/// The consequence of a review that has been due since `due` and is not done at `now`.
pub fn consequence(due: Timestamp, now: Timestamp) -> Consequence {
    if days_after(due, PAUSES_AFTER) <= now {
        Consequence::Paused
    } else if days_after(due, BARS_AFTER) <= now {
        Consequence::Barred
    } else {
        Consequence::None
    }
}

/// Why a review was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Its day came.
    Cadence,
    /// Its scope was widened.
    Scope,
    /// It has another owner or backup.
    Owner,
    /// It has another callback.
    Callback,
    /// It can do more than was certified.
    AuthorityVoid,
    /// A drill of its revocation failed.
    DrillFailed,
    /// Its vendor had an incident.
    VendorIncident,
    /// Somebody wanted to look before its day.
    Asked,
}

impl Trigger {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cadence => "cadence",
            Self::Scope => "scope",
            Self::Owner => "owner",
            Self::Callback => "callback",
            Self::AuthorityVoid => "authority-void",
            Self::DrillFailed => "drill-failed",
            Self::VendorIncident => "vendor-incident",
            Self::Asked => "asked",
        }
    }
}

/// What a change that took effect is a reason to review. What only takes away is none.
pub fn triggers(before: &Integration, after: &Integration) -> BTreeSet<Trigger> {
    let mut out = BTreeSet::new();
    if let Comparison::Wider { .. } = after.scope.compare(&before.scope) {
        out.insert(Trigger::Scope);
    }
    if (&before.owner, &before.backup) != (&after.owner, &after.backup) {
        out.insert(Trigger::Owner);
    }
    if after.register.callbacks.iter().any(|callback| !before.register.callbacks.contains(callback)) {
        out.insert(Trigger::Callback);
    }
    out
}

/// What a reviewer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReviewDecision")]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It stays, and what it can do is certified anew.
    Keep,
    /// It keeps what was used.
    Narrow,
    /// Both gates are shut.
    Revoke,
}

impl Decision {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Narrow => "narrow",
            Self::Revoke => "revoke",
        }
    }
}

/// How a review ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReviewOutcome")]
pub struct Outcome {
    /// What was decided.
    pub decision: Decision,
    /// The reviewer: the name of the operator, and the person that they are.
    pub reviewer: String,
    /// `source/key` of that person.
    pub person: String,
    /// When.
    pub at: Timestamp,
    /// Why, in the reviewer's words.
    pub reason: String,
    /// Digest of what the reviewer was shown.
    pub shown: Digest,
}

/// One review of one integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// Of what.
    pub integration: IntegrationName,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was due; the consequences count from here.
    pub due: Timestamp,
    /// Why.
    pub because: BTreeSet<Trigger>,
    /// How it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// How often a rule of a scope was used, and when last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ScopeUse")]
pub struct Use {
    /// How many calls.
    pub calls: u64,
    /// The last of them.
    pub last: Timestamp,
}

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Whereabouts {
    /// To these.
    Found {
        /// The addresses of its host.
        hosts: BTreeSet<String>,
        /// SHA-256 of the certificate that it shows; absent where it shows none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<Digest>,
    },
    /// Nowhere that could be found.
    Lost {
        /// Why, in words.
        why: String,
    },
}

/// How the place of a callback stands to where it was when it was certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resolves {
    /// The same.
    Same,
    /// To other hosts.
    Elsewhere,
    /// To the same hosts, with another certificate.
    OtherCertificate,
    /// It leads nowhere now.
    Nowhere,
    /// Where it led was never seen.
    NotPinned,
}

/// Compares where an address leads now with where it led. Fewer hosts than were pinned are the same place; one
/// that was not pinned is another.
pub fn resolves(pinned: Option<&Whereabouts>, now: &Whereabouts) -> Resolves {
    match (pinned, now) {
        (_, Whereabouts::Lost { .. }) => Resolves::Nowhere,
        (None | Some(Whereabouts::Lost { .. }), Whereabouts::Found { .. }) => Resolves::NotPinned,
        (
            Some(Whereabouts::Found { hosts: pinned, certificate: old }),
            Whereabouts::Found { hosts, certificate },
        ) => match (hosts.is_subset(pinned), certificate == old) {
            (false, _) => Resolves::Elsewhere,
            (true, false) => Resolves::OtherCertificate,
            (true, true) => Resolves::Same,
        },
    }
}

/// The last drill of the revocation of an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastDrill {
    /// When.
    pub at: Timestamp,
    /// Whether something was shown and nothing failed.
    pub passed: bool,
    /// What was tried, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// What is kept of an integration between its reviews.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The integration.
    pub integration: IntegrationName,
    /// When somebody looks at it again by itself.
    pub next: Timestamp,
    /// When it was last reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Timestamp>,
    /// The use of its rules, ever; by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, Use>,
    /// Where its callbacks led when it was certified.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<String, Whereabouts>,
    /// When that was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Timestamp>,
    /// The last drill of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<LastDrill>,
}

impl Watch {
    /// Nothing is known yet; somebody looks at `next`.
    pub fn new(integration: IntegrationName, next: Timestamp) -> Self {
        let (used, pins) = (BTreeMap::new(), BTreeMap::new());
        Self { integration, next, reviewed: None, used, pins, pinned: None, drill: None }
    }

    /// Adds use.
    pub fn add(&mut self, rule: &ScopeRule, more: &Use) {
        let known = self.used.entry(rule.to_string()).or_insert(Use { calls: 0, last: more.last });
        known.calls = known.calls.saturating_add(more.calls);
        known.last = known.last.max(more.last);
    }

    /// The rules of a scope that were used since `since`.
    pub fn used_since<'s>(&self, scope: &'s Scope, since: Option<Timestamp>) -> Vec<&'s ScopeRule> {
        let fresh = |used: &Use| since.is_none_or(|since| since <= used.last);
        scope.rules.iter().filter(|rule| self.used.get(&rule.to_string()).is_some_and(fresh)).collect()
    }
}

/// Why an integration cannot be narrowed to its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNarrower {
    /// No rule was used: what would stay is nothing.
    NothingUsed,
    /// Every rule was used.
    AllUsed,
}

/// The least that covers what was used since the last review: the same integration with only the rules that were
/// used. What it does by itself is not seen by the hub and stays.
pub fn narrowed(integration: &Integration, watch: &Watch) -> Result<Integration, NotNarrower> {
    let rules: Vec<ScopeRule> =
        watch.used_since(&integration.scope, watch.reviewed).into_iter().cloned().collect();
    if rules.is_empty() {
        return Err(NotNarrower::NothingUsed);
    }
    let scope = Scope { rules, ..integration.scope.clone() };
    let less = Integration { scope, ..integration.clone() };
    match integration::compare(&less, integration) {
        Comparison::Narrower => Ok(less),
        Comparison::Same | Comparison::Wider { .. } => Err(NotNarrower::AllUsed),
    }
}

/// The rule that a call used: of those that allow it the narrowest.
pub fn rule_of<'s>(
    scope: &'s Scope,
    operation: Operation,
    verb: &str,
    target: &str,
) -> Option<&'s ScopeRule> {
    let allowing = scope.rules.iter().filter(|rule| rule.allows(operation, verb, target));
    allowing.reduce(|best, rule| if rule.within(best) { rule } else { best })
}

/// One rule as a reviewer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleLine {
    /// The rule.
    pub rule: String,
    /// Whether it was used since the last review.
    pub used: bool,
    /// Its use, ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Use>,
}

/// One callback as a reviewer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallbackLine {
    /// The address.
    pub address: String,
    /// How it stands to where it was.
    pub resolves: Resolves,
    /// Where it leads now.
    pub now: Whereabouts,
    /// Where it led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Whereabouts>,
}

/// Something found about the integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingLine {
    /// The finding.
    pub id: FindingId,
    /// Its code.
    pub code: String,
    /// What it says.
    pub message: String,
}

/// What a reviewer is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The integration.
    pub integration: IntegrationName,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it; they cannot review it.
    pub owner: String,
    /// Who else does.
    pub backup: String,
    /// What it is.
    pub class: Class,
    /// What it can in effect do, in words.
    pub authority: Vec<String>,
    /// What a decision to keep it certifies.
    pub certifies: Digest,
    /// Its rules and their use.
    pub rules: Vec<RuleLine>,
    /// Its callbacks.
    pub callbacks: Vec<CallbackLine>,
    /// What was found about it and is not mended.
    pub findings: Vec<FindingLine>,
    /// The last drill of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<LastDrill>,
    /// When it was last reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Timestamp>,
}

impl Shown {
    /// Identifies what was shown as far as a decision rests on it. How often a rule was used changes with
    /// every call and is not part of it; that it was used is.
    pub fn digest(&self) -> Digest {
        let rules: Vec<_> = self.rules.iter().map(|line| (&line.rule, line.used)).collect();
        let callbacks: Vec<_> = self.callbacks.iter().map(|line| (&line.address, line.resolves)).collect();
        let findings: BTreeSet<_> = self.findings.iter().map(|line| line.id.to_string()).collect();
        let who = (&self.integration, &self.purpose, &self.owner, &self.backup);
        Digest::of_value(&(who, self.certifies, rules, callbacks, findings, &self.drill, self.reviewed))
    }
}

/// The lines about the rules of a scope.
pub fn rule_lines(scope: &Scope, watch: &Watch) -> Vec<RuleLine> {
    let used: BTreeSet<&ScopeRule> = watch.used_since(scope, watch.reviewed).into_iter().collect();
    let line = |rule: &ScopeRule| {
        let text = rule.to_string();
        RuleLine { used: used.contains(rule), with: watch.used.get(&text).cloned(), rule: text }
    };
    scope.rules.iter().map(line).collect()
}

/// Why a decision about a review is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefusal {
    /// What was shown is not so any more.
    #[error("what you were shown is not so any more; look at it again with `bailiwick review show {0}`")]
    Changed(IntegrationName),
    /// No reason was given.
    #[error("use alone is no reason to keep `{0}`: say in your words why it is still needed")]
    NoReason(IntegrationName),
    /// There is nothing to narrow it to.
    #[error("nothing of `{0}` was used since its last review; revoke it, or keep it for a reason")]
    NothingUsed(IntegrationName),
    /// There is nothing to take away.
    #[error("every rule of `{0}` was used since its last review; there is nothing to take away")]
    AllUsed(IntegrationName),
}

impl ReviewRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Changed(_) => "review-changed",
            Self::NoReason(_) => "review-reason-missing",
            Self::NothingUsed(_) => "review-nothing-used",
            Self::AllUsed(_) => "review-all-used",
        }
    }
}
