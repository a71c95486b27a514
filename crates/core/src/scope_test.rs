//! Tests of scopes: what is new in one is tried before it counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{digest::Digest, id::IntegrationName, time::Timestamp};

/// What came of one thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum Shown {
    /// It works, and reading back shows it.
    Works,
    /// It does not.
    Fails {
        /// The stable code of what went wrong.
        code: String,
        /// What went wrong.
        message: String,
    },
    /// It cannot be shown without touching what is somebody's.
    CannotBeShown {
        /// Why.
        why: String,
    },
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ScopeTried")]
pub struct Tried {
    /// What, in words.
    pub what: String,
    /// What came of it.
    #[serde(flatten)]
    pub shown: Shown,
}

/// A test of what is declared of an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeTest {
    /// The integration.
    pub integration: IntegrationName,
    /// Identifies exactly what was declared.
    pub declared: Digest,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What was tried, in order; empty while it is under way.
    pub tried: Vec<Tried>,
    /// The marker of a canary that is or may be on the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// What only the hub can make of the rest, hexadecimal.
    #[serde(default)]
    pub seal: String,
}

/// Whether what was tried works: something was shown, and nothing failed.
pub fn passed(tried: &[Tried]) -> bool {
    let works = tried.iter().any(|t| t.shown == Shown::Works);
    let fails = tried.iter().any(|t| matches!(t.shown, Shown::Fails { .. }));
    works && !fails
}

impl ScopeTest {
    /// Whether it shows that what is declared works.
    pub fn passed(&self) -> bool {
        passed(&self.tried)
    }

    /// The bytes that its seal is made over.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { integration, declared, at, by, tried, canary, seal: _ } = self;
        crate::digest::canonical(&("scope-test-v1", integration, declared, at, by, tried, canary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_passes_when_something_works_and_nothing_fails() {
        let works = || Shown::Works;
        let fails = || Shown::Fails { code: "forbidden".into(), message: "no".into() };
        let hidden = || Shown::CannotBeShown { why: "no canary".into() };
        let check = |shown: Vec<Shown>, expect: bool| {
            let tried = shown.into_iter().map(|shown| Tried { what: "it".into(), shown }).collect();
            let test = ScopeTest {
                integration: IntegrationName::new("chat").unwrap(),
                declared: Digest::of(b""),
                at: Timestamp::UNIX_EPOCH,
                by: "kim".into(),
                tried,
                canary: None,
                seal: String::new(),
            };
            assert_eq!(test.passed(), expect, "{test:?}");
        };
        check(vec![], false);
        check(vec![hidden()], false);
        check(vec![works()], true);
        check(vec![works(), hidden()], true);
        check(vec![works(), fails()], false);
    }
}
