//! What can be touched: the nodes of the graph of authority.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{EntitlementName, ResourceTypeName, SystemName};

/// Something that can be written, given or issued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Touch {
    /// `identity`: says who exists and who has left.
    Identity,
    /// `attribute NAME`: an attribute of identities.
    Attribute(String),
    /// `entitlement SYSTEM/NAME`: gives or takes it.
    Entitlement(EntitlementName),
    /// `account SYSTEM`: makes, changes or removes accounts.
    Account(SystemName),
    /// `credential SYSTEM`: issues or renews what lets somebody in.
    Credential(SystemName),
    /// `object SYSTEM/NAME`: writes things of that kind, such as `object itsm/ticket`.
    Object(EntitlementName),
    /// `decide TYPE`: asks what may be done to resources of the type now, and acts on the answer.
    Decide(ResourceTypeName),
    /// `search TYPE`: asks who may do what to them, and what somebody may do; changes nothing.
    Search(ResourceTypeName),
    /// `signal`: leaves a note that a person may read; changes nothing.
    Signal,
}

/// Why a text is no touch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` says nothing that can be touched: write `identity`, `attribute NAME`, `entitlement SYSTEM/NAME`, `account SYSTEM`, `credential SYSTEM`, `object SYSTEM/NAME`, `decide TYPE`, `search TYPE` or `signal`"
)]
pub struct BadTouch {
    text: String,
}

impl FromStr for Touch {
    type Err = BadTouch;

    fn from_str(text: &str) -> Result<Self, BadTouch> {
        let bad = || BadTouch { text: text.to_owned() };
        let mut words = text.split_whitespace();
        let touch = match (words.next(), words.next(), words.next()) {
            (Some("identity"), None, None) => Self::Identity,
            (Some("signal"), None, None) => Self::Signal,
            (Some("attribute"), Some(name), None) => Self::Attribute(name.to_owned()),
            (Some("entitlement"), Some(name), None) => {
                Self::Entitlement(EntitlementName::new(name).map_err(|_| bad())?)
            }
            (Some("object"), Some(name), None) => {
                Self::Object(EntitlementName::new(name).map_err(|_| bad())?)
            }
            (Some("decide"), Some(name), None) => {
                Self::Decide(ResourceTypeName::new(name).map_err(|_| bad())?)
            }
            (Some("search"), Some(name), None) => {
                Self::Search(ResourceTypeName::new(name).map_err(|_| bad())?)
            }
            (Some("account"), Some(name), None) => Self::Account(SystemName::new(name).map_err(|_| bad())?),
            (Some("credential"), Some(name), None) => {
                Self::Credential(SystemName::new(name).map_err(|_| bad())?)
            }
            _ => return Err(bad()),
        };
        Ok(touch)
    }
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::Attribute(name) => write!(f, "attribute {name}"),
            Self::Entitlement(name) => write!(f, "entitlement {name}"),
            Self::Account(system) => write!(f, "account {system}"),
            Self::Credential(system) => write!(f, "credential {system}"),
            Self::Object(name) => write!(f, "object {name}"),
            Self::Decide(kind) => write!(f, "decide {kind}"),
            Self::Search(kind) => write!(f, "search {kind}"),
            Self::Signal => f.write_str("signal"),
        }
    }
}
impl Serialize for Touch {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Touch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
