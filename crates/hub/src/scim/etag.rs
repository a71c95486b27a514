//! Versions of resources as entity tags, and the conditions on them (RFC 7644 §3.14, RFC 9110 §13.1).

use axum::http::{HeaderMap, HeaderName, header};

use super::fault::{Fault, Result, Wrong};

/// The tag of a revision. It is weak: an answer may have more or less of the resource.
pub fn tag(revision: i64) -> String {
    format!("W/\"{revision}\"")
}

/// Whether a list of tags names the revision, compared weakly.
fn names(list: &str, revision: i64) -> bool {
    let own = revision.to_string();
    list.split(',').map(str::trim).any(|tag| {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) == Some(&own)
    })
}

/// What a request wants to be so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    only_if: Option<String>,
    unless: Option<String>,
}

impl Condition {
    /// Reads it from the headers. One that is no text names nothing.
    pub fn of(headers: &HeaderMap) -> Self {
        let text =
            |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
        Self { only_if: text(header::IF_MATCH), unless: text(header::IF_NONE_MATCH) }
    }

    /// The condition of an operation of a bulk request.
    pub fn version(version: Option<String>) -> Self {
        Self { only_if: version, unless: None }
    }

    /// Whether anything must be so for a write.
    pub const fn is_said(&self) -> bool {
        self.only_if.is_some()
    }

    /// Whether a write may be done to this revision.
    ///
    /// # Errors
    /// 412.
    pub fn allows(&self, revision: i64) -> Result<()> {
        let changed = || {
            let detail = format!("the resource has the version {}", tag(revision));
            Fault::new(Wrong::Version, detail)
        };
        match &self.only_if {
            Some(list) if !names(list, revision) => Err(changed()),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether who asks has this revision already.
    pub fn has(&self, revision: i64) -> bool {
        self.unless.as_ref().is_some_and(|list| names(list, revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_one_revision() {
        for (list, revision, expect) in [
            ("W/\"3\"", 3, true),
            ("\"3\"", 3, true),
            ("W/\"1\", W/\"3\"", 3, true),
            ("*", 3, true),
            ("W/\"4\"", 3, false),
            ("3", 3, false),
            ("W/\"3", 3, false),
            ("", 3, false),
            ("W/\"33\"", 3, false),
        ] {
            assert_eq!(names(list, revision), expect, "{list}");
            let condition = Condition::version(Some(list.into()));
            assert_eq!(condition.allows(revision).is_ok(), expect, "{list}");
        }
        assert!(Condition::default().allows(7).is_ok() && !Condition::default().has(7));
        assert_eq!(tag(3), "W/\"3\"");
    }
}
