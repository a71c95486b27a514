//! A system's audit log: what its deeds mean, and of a vendor's as JSON where it is read and which members of an entry
//! say what.
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
use serde_json::{Map, Value};

/// Beyond it, a number is taken for milliseconds, and not for seconds: the year 5138, and 1973.
const SECONDS: i64 = 100_000_000_000;

/// What the deeds of a log mean, and which of them are this integration's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Deeds {
    /// What the log calls this integration.
    ours: Vec<String>,
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

/// The part of a setting that will not do, and why.
type Wrong = (String, String);

impl Deeds {
    /// Takes what it is of a setting that may have more.
    pub(crate) fn take(setting: &mut Map<String, Value>) -> Result<Self, Wrong> {
        let parts = ["ours", "given", "taken", "changed", "ends"];
        let taken: Map<_, _> = parts.iter().filter_map(|part| setting.remove_entry(*part)).collect();
        let deeds: Self = serde_json::from_value(taken.into()).map_err(|error| unread(&error))?;
        match deeds.ours.is_empty() {
            true => Err((
                ".ours".to_owned(),
                "without what the log calls this integration, nobody's deeds can be told apart".to_owned(),
            )),
            false => Ok(deeds),
        }
    }

    /// With a deed that gives access of the class.
    pub(crate) fn given(mut self, deed: &str, class: AccessClass) -> Self {
        self.given.insert(deed.to_owned(), class);
        self
    }

    /// With a deed that takes access of the class.
    pub(crate) fn taken(mut self, deed: &str, class: AccessClass) -> Self {
        self.taken.insert(deed.to_owned(), class);
        self
    }

    /// With a deed that changes access of the class.
    pub(crate) fn changed(mut self, deed: &str, class: AccessClass) -> Self {
        self.changed.insert(deed.to_owned(), class);
        self
    }

    /// With a deed that is the end of an account.
    pub(crate) fn ends(mut self, deed: &str) -> Self {
        self.ends.push(deed.to_owned());
        self
    }

    /// The entry of something that somebody did.
    pub(crate) fn entry(&self, mark: String, at: Timestamp, actor: String, deed: String) -> Entry {
        Entry {
            mark,
            at,
            ours: self.ours.contains(&actor),
            about: self.about(&deed),
            actor,
            deed,
            account: None,
            name: None,
            group: None,
        }
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
}

/// Where the log is, and what its entries say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditApi {
    place: Place,
    deeds: Deeds,
}

/// Where the log is, and where in an entry what stands. A member inside of another is written with a dot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The path.
    list: String,
    /// The parameter that takes the mark of the last entry that is known.
    after: String,
    /// The member of the answer that is the list; without it the answer is the list.
    items: Option<String>,
    mark: String,
    at: String,
    actor: String,
    deed: String,
    account: String,
}

impl AuditApi {
    /// Reads it from a setting; the error names the part and why it will not do.
    pub(crate) fn new(setting: Value) -> Result<Self, Wrong> {
        let mut setting: Map<_, _> = serde_json::from_value(setting).map_err(|error| unread(&error))?;
        let deeds = Deeds::take(&mut setting)?;
        let place: Place = serde_json::from_value(setting.into()).map_err(|error| unread(&error))?;
        let wrong = |part: &str, why: &str| Err((format!(".{part}"), why.to_owned()));
        match () {
            () if !place.list.starts_with('/') => wrong("list", "the path begins with `/`"),
            () if place.list.contains(['?', '{']) => {
                wrong("list", "it is a path alone; what comes after a mark is asked for by `after`")
            }
            () => Ok(Self { place, deeds }),
        }
    }

    /// The call that asks for what comes next.
    pub(crate) fn call(&self, from: Start<'_>) -> Call {
        let call =
            Call::new(Operation::List, "GET", self.place.list.clone()).header("Accept", "application/json");
        match from {
            Start::Mark(mark) => call.query(self.place.after.clone(), mark),
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
        let items = self.place.items.as_deref().map_or(Some(answer), |items| member(answer, items));
        let Some(Value::Array(items)) = items else {
            return Err(malformed("it has no list where `audit.items` says"));
        };
        for item in items {
            read(self.entry(item)?);
        }
        Ok(())
    }

    fn entry(&self, item: &Value) -> Result<Entry> {
        let Place { mark, at, actor, deed, account, .. } = &self.place;
        let needed = |path: &str| {
            let found = text(item, path).map(Cow::into_owned);
            found.ok_or_else(|| malformed(&format!("an entry has nothing to be read at `{path}`")))
        };
        let when = member(item, at).and_then(instant);
        let when = when.ok_or_else(|| malformed(&format!("an entry has no instant at `{at}`")))?;
        let entry = self.deeds.entry(needed(mark)?, when, needed(actor)?, needed(deed)?);
        Ok(Entry { account: text(item, account).map(Cow::into_owned), ..entry })
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
        Value::Number(number) => instant_of(number.as_i64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Seconds or milliseconds since 1970.
pub(crate) fn instant_of(number: i64) -> Option<Timestamp> {
    match number {
        seconds if seconds.abs() < SECONDS => Timestamp::from_second(seconds).ok(),
        milliseconds => Timestamp::from_millisecond(milliseconds).ok(),
    }
}

fn unread(error: &serde_json::Error) -> Wrong {
    (String::new(), error.to_string())
}

pub(crate) fn malformed(why: &str) -> ConnectorError {
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
