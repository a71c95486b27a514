//! What can be taken over.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{id::IntegrationName, integration::Purpose};

/// Who or what was taken over: `NAME`, `credential NAME/PURPOSE` or `vendor NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An integration: its connector, or whoever acts as it.
    Integration(IntegrationName),
    /// One of its credentials, wherever it is used.
    Credential(IntegrationName, Purpose),
    /// Everything of one vendor, as it is written in the register, whatever the case.
    Vendor(String),
}

/// Why a text names nothing that can be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is nothing that can be taken over: write `NAME`, `credential NAME/PURPOSE` or `vendor NAME`"
)]
pub struct BadSubject {
    text: String,
}

impl FromStr for Subject {
    type Err = BadSubject;

    fn from_str(text: &str) -> Result<Self, BadSubject> {
        let bad = || BadSubject { text: text.to_owned() };
        match text.trim().split_once(char::is_whitespace) {
            None => IntegrationName::new(text.trim()).map(Self::Integration).map_err(|_| bad()),
            Some(("vendor", vendor)) => Ok(Self::Vendor(vendor.trim().to_owned())),
            Some(("credential", credential)) => {
                let (name, purpose) = credential.trim().rsplit_once('/').ok_or_else(bad)?;
                let purpose = Purpose::deserialize(serde_json::Value::from(purpose)).map_err(|_| bad())?;
                Ok(Self::Credential(IntegrationName::new(name).map_err(|_| bad())?, purpose))
            }
            Some(_) => Err(bad()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integration(name) => name.fmt(f),
            Self::Credential(name, purpose) => write!(f, "credential {name}/{}", purpose.as_str()),
            Self::Vendor(vendor) => write!(f, "vendor {vendor}"),
        }
    }
}
impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
