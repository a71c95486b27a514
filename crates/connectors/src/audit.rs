//! A vendor's audit log as JSON: where it is read, and which members of an entry say what.
//!
//! The log is asked for what comes after a mark, and answers a list, oldest first. Absent on purpose: logs that can
//! only be asked by time, which give some entries twice or lose some.

use std::{borrow::Cow, collections::BTreeMap};

use bailiwick_connector::{Call, ConnectorError, ErrorKind, Read, Result, Start};
use bailiwick_core::{
    access::AccessClass,
    audit::{About, Entry},
    scope::Operation,
    time::Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

/// Beyond it, a number is taken for milliseconds, and not for seconds: the year 5138, and 1973.
const SECONDS: i64 = 100_000_000_000;

/// Where the log is, and what its entries say. A member inside of another is written with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditApi {
    /// The path.
    pub(crate) list: String,
    /// The parameter that takes the mark of the last entry that is known.
    pub(crate) after: String,
    /// The member of the answer that is the list; without it the answer is the list.
    items: Option<String>,
    mark: String,
    at: String,
    actor: String,
    /// What the log calls this integration.
    ours: Vec<String>,
    deed: String,
    account: String,
    /// Deed → the class of access that it gives. Of a deed in none of these it is not known what it is about.
    #[serde(default)]
    given: BTreeMap<String, AccessClass>,
    /// Deed → the class that it takes.
    #[serde(default)]
    taken: BTreeMap<String, AccessClass>,
    /// Deed → the class that it changes, where the log does not say how.
    #[serde(default)]
    changed: BTreeMap<String, AccessClass>,
    /// The deeds that are the end of an account.
    #[serde(default)]
    ends: Vec<String>,
}

impl AuditApi {
    /// Reads it from a setting; the error names the part and why it will not do.
    pub(crate) fn new(setting: Value) -> Result<Self, (String, String)> {
        let api: Self =
            serde_json::from_value(setting).map_err(|error| (String::new(), error.to_string()))?;
        let wrong = |part: &str, why: &str| Err((format!(".{part}"), why.to_owned()));
        match () {
            () if !api.list.starts_with('/') => wrong("list", "the path begins with `/`"),
            () if api.list.contains(['?', '{']) => {
                wrong("list", "it is a path alone; what comes after a mark is asked for by `after`")
            }
            () if api.ours.is_empty() => {
                wrong("ours", "without what the log calls this integration, nobody's deeds can be told apart")
            }
            () => Ok(api),
        }
    }

    /// The call that asks for what comes next.
    pub(crate) fn call(&self, from: Start<'_>) -> Call {
        let call = Call::new(Operation::List, "GET", self.list.clone()).header("Accept", "application/json");
        match from {
            Start::Mark(mark) => call.query(self.after.clone(), mark),
            // What was done long ago is shown too, which is allowed.
            Start::Instant(_) => call,
        }
    }

    /// Shows what the answer has.
    ///
    /// # Errors
    /// `Malformed` for an answer without the list, and for an entry that says not where in the log it is, when it was, who
    /// did it, or what.
    pub(crate) fn show(&self, answer: &Value, read: Read<'_>) -> Result<()> {
        let items = self.items.as_deref().map_or(Some(answer), |items| member(answer, items));
        let Some(Value::Array(items)) = items else {
            return Err(malformed("it has no list where `audit.items` says"));
        };
        for item in items {
            read(self.entry(item)?);
        }
        Ok(())
    }

    fn about(&self, deed: &str) -> About {
        let known = |map: &BTreeMap<String, AccessClass>, about: fn(AccessClass) -> About| {
            map.get(deed).map(|class| about(*class))
        };
        match self.ends.iter().any(|end| end == deed) {
            true => About::End,
            false => known(&self.given, About::Given)
                .or_else(|| known(&self.taken, About::Taken))
                .or_else(|| known(&self.changed, About::Changed))
                .unwrap_or(About::Anything),
        }
    }

    fn entry(&self, item: &Value) -> Result<Entry> {
        let needed = |path: &str| {
            text(item, path).ok_or_else(|| malformed(&format!("an entry has nothing to be read at `{path}`")))
        };
        let at = member(item, &self.at).and_then(instant);
        let at = at.ok_or_else(|| malformed(&format!("an entry has no instant at `{}`", self.at)))?;
        let (actor, deed) = (needed(&self.actor)?, needed(&self.deed)?);
        Ok(Entry {
            mark: needed(&self.mark)?.into_owned(),
            at,
            ours: self.ours.iter().any(|ours| *ours == actor),
            about: self.about(&deed),
            account: text(item, &self.account).map(Cow::into_owned),
            actor: actor.into_owned(),
            deed: deed.into_owned(),
        })
    }
}

fn member<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

fn text<'v>(value: &'v Value, path: &str) -> Option<Cow<'v, str>> {
    match member(value, path)? {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => match number.as_i64()? {
            seconds if seconds.abs() < SECONDS => Timestamp::from_second(seconds).ok(),
            milliseconds => Timestamp::from_millisecond(milliseconds).ok(),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn malformed(why: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Malformed, format!("the audit log cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn setting() -> Value {
        json!({
            "list": "/audit", "after": "after", "items": "entries", "mark": "seq", "at": "at",
            "actor": "by.name", "ours": ["bailiwick"], "deed": "what", "account": "user",
            "taken": {"token-revoked": "api-tokens"}, "ends": ["user-deleted"],
        })
    }

    #[test]
    fn entries_are_read_as_the_settings_say() {
        let api = AuditApi::new(setting()).unwrap();
        let entry = |seq: Value, at: Value, who: &str, what: &str, user: Value| json!({"seq": seq, "at": at, "by": {"name": who}, "what": what, "user": user});
        let answer = json!({"entries": [
            entry(json!(7), json!("2026-11-28T09:00:00Z"), "bailiwick", "token-revoked", json!("u1")),
            entry(json!("8a"), json!(1_795_856_400), "ann", "user-deleted", json!(5)),
            entry(json!(9), json!(1_795_856_400_000_i64), "ann", "renamed", Value::Null),
        ]});
        let mut seen = Vec::new();
        api.show(&answer, &mut |entry| seen.push(entry)).unwrap();
        let short = seen.iter().map(|e| (e.mark.as_str(), e.ours, e.about, e.account.as_deref()));
        assert_eq!(
            short.collect::<Vec<_>>(),
            [
                ("7", true, About::Taken(AccessClass::ApiTokens), Some("u1")),
                ("8a", false, About::End, Some("5")),
                ("9", false, About::Anything, None),
            ]
        );
        let at: Timestamp = "2026-11-28T09:00:00Z".parse().unwrap();
        assert!(seen.iter().all(|entry| entry.at == at), "{seen:?}");
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_over() {
        let api = AuditApi::new(setting()).unwrap();
        let good = json!({"seq": 1, "at": 0, "by": {"name": "x"}, "what": "y"});
        api.show(&json!({"entries": [good]}), &mut |_| {}).unwrap();
        for (without, place) in [("seq", "seq"), ("at", "at"), ("by", "by.name"), ("what", "what")] {
            let mut entry = good.clone();
            entry.as_object_mut().unwrap().remove(without);
            let error = api.show(&json!({"entries": [entry]}), &mut |_| {}).unwrap_err();
            assert!(error.message.contains(&format!("`{place}`")), "{error}");
        }
        assert!(api.show(&json!([good]), &mut |_| {}).is_err());
    }

    #[test]
    fn a_setting_that_will_not_do_is_refused_with_its_part() {
        for (part, value) in
            [("list", json!("audit")), ("list", json!("/audit?after={mark}")), ("ours", json!([]))]
        {
            let mut wrong = setting();
            wrong[part] = value;
            assert_eq!(AuditApi::new(wrong).unwrap_err().0, format!(".{part}"));
        }
        let mut unknown = setting();
        unknown["else"] = json!(1);
        assert!(AuditApi::new(unknown).unwrap_err().1.contains("else"));
    }
}
