//! The blast radius: what somebody could do who has taken over an integration, a credential or a vendor.
//!
//! Two ways lead out, and both count: the integration's own line, on which the broker lets every call through
//! that a rule of the scope has, whatever its body says; and the paths of authority, by which others do what
//! follows. The answer may hold too much, never too little. Limits that the hub's own planning keeps are said
//! as such, because whoever has taken over the line does not plan.

mod answer;
mod line;
mod power;
mod subject;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use power::{Can, Power, Thing};
pub use subject::{BadSubject, Subject};

use super::{Authority, Class, Semantics};
use crate::{
    access::AccessClass,
    id::IntegrationName,
    integration::{Integration, Purpose},
    system::Entitlement,
};

/// What somebody could do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blast {
    /// Who or what was taken over.
    pub subject: Subject,
    /// The integrations that are in reach with it.
    pub integrations: Vec<IntegrationName>,
    /// The largest class of them.
    pub class: Class,
    /// Everything that can be created, given, changed, taken and read.
    pub powers: Vec<Power>,
    /// Whether anything can be approved: never, integrations do not approve.
    pub approves: bool,
    /// What could outlast its discovery, each by what.
    pub persistence: Vec<Persistence>,
    /// Whether access could be created or preserved beyond the intended lifecycle.
    pub beyond: Beyond,
}

/// One way to stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Persistence {
    /// The way.
    pub primitive: Primitive,
    /// Whether it is open without anybody having to agree.
    pub possible: bool,
    /// By what, also where a person has to agree.
    pub by: Vec<String>,
}

/// The answer to the question whether access could be created or preserved beyond the intended lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beyond {
    /// Yes or no.
    pub possible: bool,
    /// Every way; empty when the answer is no.
    pub paths: Vec<String>,
    /// Ways on which a person would have to agree; they make no yes.
    pub only_with_a_person: Vec<String>,
}

/// What somebody leaves behind to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Primitive {
    /// An account.
    Account,
    /// A session or token.
    Token,
    /// A key or secret of an application or machine.
    AppCredential,
    /// Trust in somebody else's word: a consent, a device, a federation.
    Trust,
    /// Rights on a mailbox, forwarding, rules.
    MailboxRule,
    /// A webhook or a scheduled job.
    Automation,
    /// An approval, or the role to give one.
    Approval,
}

impl Primitive {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Account,
        Self::Token,
        Self::AppCredential,
        Self::Trust,
        Self::MailboxRule,
        Self::Automation,
        Self::Approval,
    ];

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Account => "create an account",
            Self::Token => "create a session or token",
            Self::AppCredential => "create a key of an application",
            Self::Trust => "create a trust",
            Self::MailboxRule => "create a mailbox rule",
            Self::Automation => "create a scheduled job or webhook",
            Self::Approval => "create an approval",
        }
    }
}

/// One integration, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The integration.
    pub integration: &'a Integration,
    /// What it can in effect do.
    pub authority: &'a Authority,
    /// What its connector makes of operations.
    pub semantics: &'a Semantics,
    /// The classes of access that its system has; `None` when it is on no system, or on one that is not known.
    pub classes: Option<&'a BTreeSet<AccessClass>>,
}

/// The blast radius of `subject`: of an integration or one of its credentials, given that one; of a vendor, given
/// all its integrations. `entitlements` are all that are declared.
pub fn blast(subject: Subject, parts: &[Part<'_>], entitlements: &[Entitlement]) -> Blast {
    let reads_only = matches!(&subject, Subject::Credential(_, purpose) if *purpose != Purpose::Write);
    let mut powers: Vec<Power> = parts.iter().flat_map(|part| line::powers(*part, entitlements)).collect();
    if reads_only {
        powers.retain(|power| power.can == Can::Read);
    }
    if let Subject::Credential(..) = &subject {
        powers.iter_mut().for_each(|power| power.limits = vec!["none outside of the hub".into()]);
    }
    powers.sort();
    powers.dedup();
    let persistence = answer::persistence(&subject, parts, &powers);
    let beyond = answer::beyond(&subject, parts, &powers, reads_only);
    Blast {
        class: parts.iter().map(|part| part.authority.class).max().unwrap_or_default(),
        integrations: parts.iter().map(|part| part.integration.name.clone()).collect(),
        subject,
        powers,
        approves: false,
        persistence,
        beyond,
    }
}
