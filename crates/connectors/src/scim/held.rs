//! Access that SCIM has no words for, at endpoints of the vendor's own: licences, API tokens, sessions, and
//! every other class.
//!
//! An endpoint answers a JSON list, or an object that has one; the settings say which members of an item
//! are its id and name and when it works. That an account is gone says nothing of what can outlive it. Absent on
//! purpose: pages. A vendor who cuts such a list in pieces needs a connector of its own.

use std::borrow::Cow;

use bailiwick_connector::{
    Call, ConnectorError, Effect, Entry, ErrorKind, Issued, Object, ObjectState, Page, Result, Visit,
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_core::{access::AccessClass, plan::Op, scope::Operation, time::Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{
    decode::{json, malformed},
    exchange::{Exchange, Kind, refusal, segment},
};

const JSON: &str = "application/json";

/// The settings of one class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldSetting {
    list: String,
    /// The member of the answer that is the list; without it the only one that can be.
    items: Option<String>,
    #[serde(default = "id")]
    item: String,
    name: Option<String>,
    live: Option<Match>,
    gone: Option<Match>,
    purges: Option<String>,
    revoke: Option<String>,
    grant: Option<String>,
    /// Whether things of the class can outlive the account; without it, as is usual for the class.
    outlives: Option<bool>,
    issue: Option<IssueSetting>,
    /// The path that whoever holds such a credential may read.
    #[serde(rename = "try")]
    attempt: Option<String>,
}

/// How a canary is given a credential of the class.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueSetting {
    make: String,
    #[serde(default)]
    body: Value,
    /// The member of the answer that is the credential.
    given: String,
    #[serde(default = "id")]
    id: String,
}

fn id() -> String {
    "id".to_owned()
}

/// A member of an item, and the text it must have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    field: String,
    equals: String,
}

impl Match {
    fn holds(&self, item: &Value) -> bool {
        match &item[self.field.as_str()] {
            Value::Bool(flag) => flag.to_string() == self.equals,
            one => text(one).is_some_and(|text| text == self.equals),
        }
    }
}

/// Where one class is listed, given and taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HeldApi {
    setting: HeldSetting,
    class: AccessClass,
    revoke: Option<Route>,
    grant: Option<Route>,
    issue: Option<Route>,
}

/// A method, and a path with the places `{id}` and, but for what makes one, `{item}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    method: &'static str,
    path: String,
}

impl Route {
    /// To one thing that an account holds.
    fn new(text: &str, usual: &'static str) -> Result<Self, &'static str> {
        let route = Self::to(text, usual)?;
        match route.path.contains("{id}") && route.path.contains("{item}") {
            true => Ok(route),
            false => Err("the path needs `{id}` for the account and `{item}` for what it holds"),
        }
    }

    fn to(text: &str, usual: &'static str) -> Result<Self, &'static str> {
        let (method, path) = match text.split_once(' ') {
            None => (usual, text),
            Some((method, path)) => {
                let known = ["POST", "PUT", "PATCH", "DELETE"].into_iter().find(|known| *known == method);
                (known.ok_or("the method is one of POST, PUT, PATCH, DELETE")?, path)
            }
        };
        Ok(Self { method, path: checked(path)?.to_owned() })
    }

    fn fill(&self, account: &str, item: &str) -> Result<String> {
        Ok(self.path.replace("{id}", &segment(account)?).replace("{item}", &segment(item)?))
    }
}

fn checked(path: &str) -> Result<&str, &'static str> {
    match path.starts_with('/') {
        true => Ok(path),
        false => Err("the path begins with `/`"),
    }
}

impl HeldApi {
    /// From its settings; the error names the part and why it will not do.
    pub(super) fn new(
        class: AccessClass,
        setting: HeldSetting,
    ) -> Result<Self, (&'static str, &'static str)> {
        if !checked(&setting.list).map_err(|why| ("list", why))?.contains("{id}") {
            return Err(("list", "the path needs `{id}` for the account"));
        }
        let route = |text: &Option<String>, name, usual| {
            text.as_deref().map(|text| Route::new(text, usual).map_err(|why| (name, why))).transpose()
        };
        let revoke = route(&setting.revoke, "revoke", "DELETE")?;
        let grant = route(&setting.grant, "grant", "PUT")?;
        let issue = setting.issue.as_ref().map(|issue| Route::to(&issue.make, "POST")).transpose();
        let issue = issue.map_err(|why| ("issue.make", why))?;
        if issue.as_ref().is_some_and(|route| !route.path.contains("{id}")) {
            return Err(("issue.make", "the path needs `{id}` for the account"));
        }
        setting.attempt.as_deref().map(checked).transpose().map_err(|why| ("try", why))?;
        Ok(Self { setting, class, revoke, grant, issue })
    }

    /// Whether a canary can be given a credential of the class, and it can be tried.
    pub(super) fn tries(&self) -> bool {
        self.issue.is_some() && self.setting.attempt.is_some()
    }

    /// Whether things of the class may be there when the account is gone. Only what gives nobody entry by itself is
    /// taken to end with it, unless the settings say more.
    fn outlives(&self) -> bool {
        let usual = !matches!(self.class, AccessClass::Licences | AccessClass::Roles);
        self.setting.outlives.unwrap_or(usual)
    }

    /// Whether things of the class can be taken away.
    pub(super) fn revokes(&self) -> bool {
        self.revoke.is_some()
    }

    /// Whether things of the class can be given.
    pub(super) fn grants(&self) -> bool {
        self.grant.is_some()
    }

    /// The method and path that do what the operation asks for with one item; none if there are none.
    pub(super) fn change(
        &self,
        op: &Op,
        account: &str,
        item: &str,
    ) -> Result<Option<(&'static str, String)>> {
        let route = match op {
            Op::Grant { .. } => &self.grant,
            Op::Revoke { .. } | Op::RevokeAll { .. } => &self.revoke,
            Op::CreateAccount { .. }
            | Op::SetAttributes { .. }
            | Op::Enable
            | Op::Disable { .. }
            | Op::Delete => {
                return Ok(None);
            }
        };
        route.as_ref().map(|route| Ok((route.method, route.fill(account, item)?))).transpose()
    }

    /// Shows everything of the class that an account holds; of one that is gone, nothing, which is not all where
    /// things of the class can outlive it.
    ///
    /// # Errors
    /// `NotFound` if the system says that there is no such account, and with it went what it held.
    pub(super) async fn survey(
        &self,
        exchange: &Exchange<'_>,
        account: &str,
        visit: Visit<'_>,
    ) -> Result<Page> {
        match self.list(exchange, account, visit).await {
            Err(error) if error.kind == ErrorKind::NotFound && self.outlives() => {
                Ok(Page { next: None, complete: false })
            }
            other => other,
        }
    }

    /// Gives a canary a credential, which the system makes up.
    pub(super) async fn give(&self, exchange: &Exchange<'_>, account: &str) -> Result<Issued> {
        let (Some(route), Some(issue)) = (&self.issue, &self.setting.issue) else {
            return Err(super::unsupported(&format!("issuing {}", self.class)));
        };
        let path = route.path.replace("{id}", &segment(account)?);
        let label = format!("{} {path}", route.method);
        let mut call = Call::new(Operation::Issue, route.method, path).header("Accept", JSON);
        if !issue.body.is_null() {
            call = call.header("Content-Type", JSON).body(issue.body.to_string().into_bytes());
        }
        let answer = exchange.line.send(call).await?;
        if !matches!(answer.status, 200..=299) {
            return Err(refusal(&label, Kind::Create, &answer));
        }
        let lost = || ConnectorError {
            effect: Effect::Unknown,
            ..malformed(&format!("a credential was made, and the answer has none at `{}`", issue.given))
        };
        let body: Value = json(&answer.body).map_err(|_| lost())?;
        let given = text(&body[issue.given.as_str()]).filter(|given| !given.is_empty()).ok_or_else(lost)?;
        let credential =
            Credential { scheme: CredentialScheme::Bearer, secret: Secret::new(given.into_owned()) };
        let external_id = text(&body[issue.id.as_str()]).map(Cow::into_owned);
        Ok(Issued { class: self.class, external_id, credential })
    }

    /// Tries a credential as its holder would.
    pub(super) async fn knock(&self, exchange: &Exchange<'_>, issued: &Issued) -> Result<Entry> {
        let Some(path) = &self.setting.attempt else {
            return Err(super::unsupported(&format!("trying {}", self.class)));
        };
        let call = Call::new(Operation::Try, "GET", path.clone()).header("Accept", JSON);
        let answer = exchange.line.send_as(call, &issued.credential).await?;
        match answer.status {
            200..=299 => Ok(Entry::Accepted),
            401 | 403 => Ok(Entry::Rejected),
            _ => Err(refusal(&format!("GET {path}"), Kind::Read, &answer)),
        }
    }

    /// Shows everything of the class that an account holds.
    ///
    /// # Errors
    /// `NotFound` if the system says that there is no such account.
    pub(super) async fn list(
        &self,
        exchange: &Exchange<'_>,
        account: &str,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let path = self.setting.list.replace("{id}", &segment(account)?);
        let answer = exchange.read(Operation::List, path, Vec::new()).await?;
        let document: Value = json(&answer.body)?;
        let mut complete = true;
        for item in self.items(&document)? {
            match self.object(item) {
                Some(Some(object)) => visit(object),
                Some(None) => {}
                None => complete = false,
            }
        }
        Ok(Page { next: None, complete })
    }

    fn items<'v>(&self, document: &'v Value) -> Result<&'v [Value]> {
        let lists: Vec<&'v Value> = match (document, &self.setting.items) {
            (list @ Value::Array(_), None) => vec![list],
            (Value::Object(members), None) => members.values().filter(|value| value.is_array()).collect(),
            (Value::Object(members), Some(name)) => members.get(name).into_iter().collect(),
            _ => Vec::new(),
        };
        match lists[..] {
            [Value::Array(items)] => Ok(items),
            _ => Err(malformed("it has no list, or several; say which in `items`")),
        }
    }

    /// An item as an object. Outer none: it cannot be read. Inner none: it is gone for good.
    fn object<'v>(&self, item: &'v Value) -> Option<Option<Object<'v>>> {
        let HeldSetting { item: id, name, live, gone, purges, .. } = &self.setting;
        let id = text(&item[id.as_str()]).filter(|id| !id.is_empty())?;
        if gone.as_ref().is_some_and(|gone| gone.holds(item)) {
            return Some(None);
        }
        let name = name.as_ref().and_then(|name| text(&item[name.as_str()])).unwrap_or_else(|| id.clone());
        let state = match live.as_ref().is_none_or(|live| live.holds(item)) {
            true => ObjectState::Live,
            false => ObjectState::Blocked,
        };
        let purges_at =
            purges.as_ref().and_then(|purges| item[purges.as_str()].as_str()?.parse::<Timestamp>().ok());
        Some(Some(Object { id, name, state, purges_at, ..Object::default() }))
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(Cow::Owned(number.to_string())),
        Value::Number(_) | Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api(setting: Value) -> HeldApi {
        HeldApi::new(AccessClass::ApiTokens, serde_json::from_value(setting).unwrap()).unwrap()
    }

    #[test]
    fn only_what_lets_nobody_in_by_itself_is_taken_to_end_with_its_account() {
        let outlives = |class, setting: Value| {
            HeldApi::new(class, serde_json::from_value(setting).unwrap()).unwrap().outlives()
        };
        let ending: Vec<_> = AccessClass::ALL
            .into_iter()
            .filter(|class| !outlives(*class, json!({"list": "/u/{id}"})))
            .collect();
        assert_eq!(ending, [AccessClass::Roles, AccessClass::Licences]);
        assert!(!outlives(AccessClass::Automations, json!({"list": "/u/{id}", "outlives": false})));
        assert!(outlives(AccessClass::Licences, json!({"list": "/u/{id}", "outlives": true})));
    }

    #[test]
    fn items_are_found_and_read_as_the_settings_say() {
        let api = api(json!({
            "list": "/u/{id}/tokens",
            "name": "label",
            "live": {"field": "status", "equals": "active"},
            "gone": {"field": "status", "equals": "revoked"},
            "purges": "purges_at",
        }));
        let document = json!({"user": "u", "tokens": [
            {"id": "t1", "label": "ci", "status": "active"},
            {"id": 2, "status": "suspended", "purges_at": "2026-12-01T00:00:00Z"},
            {"id": "t3", "status": "revoked"},
            {"status": "active"},
        ]});
        let seen: Vec<_> = api.items(&document).unwrap().iter().map(|item| api.object(item)).collect();
        let purges_at = Some("2026-12-01T00:00:00Z".parse().unwrap());
        let live = Object { id: "t1".into(), name: "ci".into(), ..Object::default() };
        let state = ObjectState::Blocked;
        let blocked = Object { id: "2".into(), name: "2".into(), state, purges_at, ..Object::default() };
        assert_eq!(seen, [Some(Some(live)), Some(Some(blocked)), Some(None), None]);
    }

    #[test]
    fn a_document_without_one_list_is_not_an_empty_list() {
        let plain = api(json!({"list": "/u/{id}"}));
        assert!(plain.items(&json!({"a": [], "b": []})).is_err());
        assert!(plain.items(&json!({"error": "x"})).is_err());
        assert!(plain.items(&json!([])).unwrap().is_empty());
        let named = api(json!({"list": "/u/{id}", "items": "b"}));
        assert_eq!(named.items(&json!({"a": [], "b": [1]})).unwrap().len(), 1);
        assert!(named.items(&json!({"a": []})).is_err());
    }

    #[test]
    fn paths_are_filled_with_encoded_segments() {
        let api =
            api(json!({"list": "/u/{id}", "revoke": "/u/{id}/t/{item}", "grant": "POST /u/{id}/{item}"}));
        let revoke = Op::RevokeAll { class: bailiwick_core::access::AccessClass::Sessions };
        assert_eq!(api.change(&revoke, "a b", "ü").unwrap(), Some(("DELETE", "/u/a%20b/t/%C3%BC".into())));
        assert!(api.change(&revoke, "..", "x").is_err());
        assert_eq!(api.change(&Op::Enable, "a", "b").unwrap(), None);
    }
}
