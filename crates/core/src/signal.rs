//! Signals: what an integration wants a person to know. They are hints, never facts: nothing follows from
//! one by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{IntegrationName, SignalId},
    time::Timestamp,
};

/// The longest kind, bytes.
pub const LONGEST_KIND: usize = 64;
/// The longest text, bytes.
pub const LONGEST_TEXT: usize = 4_000;
/// The longest name of somebody, bytes.
const LONGEST_ABOUT: usize = 256;

/// What an integration says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What kind of thing it is, a word such as `device-lost`.
    pub kind: String,
    /// Whom it is about, `source/key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it is, for people.
    pub text: String,
}

/// A note that was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// Its id.
    pub id: SignalId,
    /// Who left it.
    pub integration: IntegrationName,
    /// What it says.
    #[serde(flatten)]
    pub note: Note,
    /// When.
    pub at: Timestamp,
}

impl Note {
    /// What is wrong with it, in words.
    pub fn fault(&self) -> Option<&'static str> {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let control = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
        if self.kind.is_empty() || self.kind.len() > LONGEST_KIND || !self.kind.bytes().all(word) {
            Some("`kind` is a word of at most 64 small letters, digits and `-`")
        } else if self.text.trim().is_empty() || self.text.len() > LONGEST_TEXT || control(&self.text) {
            Some("`text` is a text of at most 4,000 bytes, without control characters")
        } else if self.about.as_ref().is_some_and(|about| {
            !about.contains('/') || about.len() > LONGEST_ABOUT || control(about) || about.contains('\n')
        }) {
            Some("`about` is `source/key` of somebody")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_short_and_plain() {
        let check = |kind: &str, about: Option<&str>, text: &str, fault: Option<&str>| {
            let note = Note { kind: kind.into(), about: about.map(Into::into), text: text.into() };
            assert_eq!(note.fault().map(|f| f.split(' ').next().unwrap()), fault, "{note:?}");
        };
        check("device-lost", Some("hr/1001"), "left in\na taxi", None);
        check("x", None, &"a".repeat(LONGEST_TEXT), None);
        check("", None, "x", Some("`kind`"));
        check("Device", None, "x", Some("`kind`"));
        check(&"a".repeat(65), None, "x", Some("`kind`"));
        check("x", None, " ", Some("`text`"));
        check("x", None, "\u{1b}[2J", Some("`text`"));
        check("x", None, &"a".repeat(LONGEST_TEXT + 1), Some("`text`"));
        check("x", Some("1001"), "x", Some("`about`"));
        check("x", Some("hr/1\n2"), "x", Some("`about`"));
    }
}
