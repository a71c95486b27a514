//! Accepting a compensating control: what stands in where access cannot be seen, with an owner and an end.
//!
//! The hard rules live here: only what cannot be seen is accepted, never by the leaver, never by the person who
//! owns the integration, and never for ever.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    case::Cell,
    id::IdentityId,
    identity::Identity,
    time::{Cutoff, Date, LocalDay, SignedDuration, Timestamp},
    verify::{Control, Verdict},
};

/// The longest time for which a control is accepted, days.
const LONGEST_DAYS: i64 = 366;

/// What somebody accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Who answers for it, `source/key`.
    pub owner: String,
    /// The last day on which it stands, in UTC.
    pub until: Date,
    /// What stands in, and why that is enough.
    pub reason: String,
}

/// Everything that accepting is decided from.
pub struct Accepting<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// Who left.
    pub leaver: IdentityId,
    /// The name of the operator who accepts.
    pub by: &'a str,
    /// The person they are, if the hub knows it.
    pub person: Option<IdentityId>,
    /// The person who owns the integration, if the hub knows them.
    pub integration_owner: Option<IdentityId>,
    /// Who answers for the control, if the hub knows them.
    pub owner: Option<&'a Identity>,
    /// The instant.
    pub now: Timestamp,
}

/// Why a control is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlRefusal {
    /// It can be seen.
    #[error("the cell is `{0}`: only what cannot be seen is accepted, the rest is proven")]
    Seen(&'static str),
    /// By the leaver.
    #[error("nobody accepts what stands in for seeing their own access")]
    OwnAccess,
    /// By the person who answers for the integration.
    #[error("who owns the integration does not accept what it cannot see")]
    OwnIntegration,
    /// The owner is nobody who can answer for it.
    #[error("`{0}` cannot answer for it: name somebody who is known, has not left and is not the leaver")]
    Owner(String),
    /// Nothing is said.
    #[error("the reason is empty; say what stands in and why that is enough")]
    Empty,
    /// It has ended.
    #[error("`{0}` is over; name a day to come")]
    Over(Date),
    /// It would not be looked at for too long.
    #[error("`{0}` is more than {LONGEST_DAYS} days away; accept it for less, and again")]
    Far(Date),
}

impl ControlRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Seen(_) => "control-not-needed",
            Self::OwnAccess => "control-own-access",
            Self::OwnIntegration => "control-own-integration",
            Self::Owner(_) => "control-owner-unfit",
            Self::Empty => "control-empty-reason",
            Self::Over(_) => "control-over",
            Self::Far(_) => "control-too-long",
        }
    }
}

/// Accepts a control: gives the cell with it, or says why not.
pub fn accept(asked: &Acceptance, on: &Accepting<'_>) -> Result<Cell, ControlRefusal> {
    let Verdict::Unobservable { why, .. } = &on.cell.verdict else {
        return Err(ControlRefusal::Seen(on.cell.verdict.name()));
    };
    if on.person == Some(on.leaver) {
        return Err(ControlRefusal::OwnAccess);
    }
    if on.person.is_some() && on.person == on.integration_owner {
        return Err(ControlRefusal::OwnIntegration);
    }
    let answers = |owner: &&Identity| owner.id != on.leaver && owner.lifecycle.gone().is_none();
    if on.owner.filter(answers).is_none() {
        return Err(ControlRefusal::Owner(asked.owner.clone()));
    }
    if asked.reason.trim().is_empty() {
        return Err(ControlRefusal::Empty);
    }
    let day = LocalDay { date: asked.until, zone: "UTC".into(), cutoff: Cutoff::EndOfDay };
    let expires = day.instant().map_err(|_| ControlRefusal::Far(asked.until))?;
    if expires <= on.now {
        return Err(ControlRefusal::Over(asked.until));
    }
    if expires.duration_since(on.now) > SignedDuration::from_hours(24 * LONGEST_DAYS) {
        return Err(ControlRefusal::Far(asked.until));
    }
    let control = Control {
        what: format!("{} accepted it on {:.0}", on.by, on.now),
        reason: Some(asked.reason.trim().to_owned()),
        owner: asked.owner.clone(),
        expires,
    };
    let verdict = Verdict::Unobservable { why: why.clone(), control: Some(control) };
    Ok(Cell { verdict, ..on.cell.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Lifecycle;
    use crate::{
        access::AccessClass,
        id::{AccountId, CaseId, SystemName},
        identity::{IdentityKind, SourceKey},
        time::Effective,
    };

    fn id(n: u8) -> IdentityId {
        IdentityId::from_bytes([n; 16])
    }

    fn someone(n: u8, left: bool) -> Identity {
        let lifecycle = match left {
            true => Lifecycle::Left { at: Effective::at(Timestamp::UNIX_EPOCH), kept_out: None },
            false => Lifecycle::Active { ends: None },
        };
        Identity {
            engagements: Vec::new(),
            cancelled: Vec::new(),
            said: None,
            id: id(n),
            kind: IdentityKind::Person,
            source_key: SourceKey { source: "hr".parse().unwrap(), key: n.to_string() },
            attributes: Default::default(),
            lifecycle,
            owner: None,
            generation: 1,
        }
    }

    fn cell(verdict: Verdict) -> Cell {
        Cell {
            case: CaseId::from_bytes([1; 16]),
            system: SystemName::new("crm").unwrap(),
            class: AccessClass::OauthConsents,
            account: AccountId::from_bytes([2; 16]),
            verdict,
            at: Timestamp::UNIX_EPOCH,
            method: "none".into(),
            witness: None,
            answer: None,
            tried: 0,
        }
    }

    #[test]
    fn a_control_has_an_owner_and_an_end_and_is_accepted_by_somebody_else() {
        let unseen = || Verdict::Unobservable { why: "no list".into(), control: None };
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        // Leaver 1, owner of the integration 2, somebody 3, somebody else who left 4.
        let check =
            |verdict: Verdict, person: Option<u8>, owner: Option<(u8, bool)>, until: &str, reason: &str| {
                let (cell, owner) = (cell(verdict), owner.map(|(n, left)| someone(n, left)));
                let asked =
                    Acceptance { owner: "hr/3".into(), until: until.parse().unwrap(), reason: reason.into() };
                let on = Accepting {
                    cell: &cell,
                    leaver: id(1),
                    by: "ann",
                    person: person.map(id),
                    integration_owner: Some(id(2)),
                    owner: owner.as_ref(),
                    now,
                };
                match accept(&asked, &on) {
                    Ok(cell) => {
                        assert!(cell.verdict.closes(now));
                        let Verdict::Unobservable { control: Some(control), .. } = cell.verdict else {
                            return "no control";
                        };
                        assert_eq!(control.expires.to_string(), "2026-06-01T00:00:00Z");
                        assert_eq!(control.reason.as_deref(), Some("egress is filtered"));
                        "accepted"
                    }
                    Err(refusal) => refusal.code(),
                }
            };
        let (good, day, why) = (Some((3, false)), "2026-05-31", " egress is filtered ");
        assert_eq!(check(unseen(), None, good, day, why), "accepted");
        assert_eq!(check(unseen(), Some(3), good, day, why), "accepted");
        assert_eq!(check(Verdict::Removed, None, good, day, why), "control-not-needed");
        assert_eq!(check(Verdict::Residual { what: vec![] }, None, good, day, why), "control-not-needed");
        assert_eq!(check(unseen(), Some(1), good, day, why), "control-own-access");
        assert_eq!(check(unseen(), Some(2), good, day, why), "control-own-integration");
        assert_eq!(check(unseen(), None, None, day, why), "control-owner-unfit");
        assert_eq!(check(unseen(), None, Some((1, false)), day, why), "control-owner-unfit");
        assert_eq!(check(unseen(), None, Some((4, true)), day, why), "control-owner-unfit");
        assert_eq!(check(unseen(), None, good, day, " \n"), "control-empty-reason");
        assert_eq!(check(unseen(), None, good, "2026-04-30", why), "control-over");
        assert_eq!(check(unseen(), None, good, "2027-06-01", why), "control-too-long");
    }
}
