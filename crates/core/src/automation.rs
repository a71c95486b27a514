//! Automations: what systems do by themselves once something is written to them.
//!
//! They are the edges of hidden authority: a ticket opens a group, a group is inside of another, a claim
//! becomes a role. Configuration declares them. Groups in groups are found by looking at the system, too
//! ([`crate::nesting`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{authority::Touch, id::AutomationName};

/// What kind of automation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum AutomationKind {
    TicketRule,
    DynamicGroup,
    NestedGroup,
    Workflow,
    Webhook,
    ClaimMapping,
    DelegatedAdmin,
}

impl AutomationKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::TicketRule,
        Self::DynamicGroup,
        Self::NestedGroup,
        Self::Workflow,
        Self::Webhook,
        Self::ClaimMapping,
        Self::DelegatedAdmin,
    ];

    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TicketRule => "ticket-rule",
            Self::DynamicGroup => "dynamic-group",
            Self::NestedGroup => "nested-group",
            Self::Workflow => "workflow",
            Self::Webhook => "webhook",
            Self::ClaimMapping => "claim-mapping",
            Self::DelegatedAdmin => "delegated-admin",
        }
    }
}

/// One automation: whoever can do `from` does `to` as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Automation {
    /// Its name.
    pub name: AutomationName,
    /// What people call it: `itsm rule 12`.
    pub title: String,
    /// What kind it is.
    pub kind: AutomationKind,
    /// What sets it off.
    pub from: Touch,
    /// What it then does.
    pub to: Touch,
    /// Whether a person decides in between.
    #[serde(default)]
    pub by_person: bool,
    /// The person who answers for it, `source/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}
