//! What a line of the audit device says: who did what to whom. Texts of bodies are hashed, their names are not.

use std::borrow::Cow;

use bailiwick_core::{
    access::AccessClass::{
        ApiTokens, DirectGroups, NestedGroups, PrimaryAccount, Roles, SecondaryAccounts, VaultTokens,
    },
    audit::{About, Entry},
    time::Timestamp,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::settings::Settings;

type Text<'l> = Option<Cow<'l, str>>;

#[derive(Deserialize)]
struct Line<'l> {
    time: Timestamp,
    #[serde(borrow, rename = "type")]
    kind: Cow<'l, str>,
    #[serde(borrow)]
    error: Text<'l>,
    #[serde(borrow, default)]
    auth: Auth<'l>,
    #[serde(borrow)]
    request: Option<Request<'l>>,
    #[serde(borrow)]
    response: Option<Response<'l>>,
}

#[derive(Deserialize, Default)]
struct Auth<'l> {
    #[serde(borrow)]
    entity_id: Text<'l>,
    #[serde(borrow)]
    display_name: Text<'l>,
}

#[derive(Deserialize)]
struct Request<'l> {
    #[serde(borrow)]
    operation: Cow<'l, str>,
    #[serde(borrow)]
    path: Cow<'l, str>,
    #[serde(borrow)]
    mount_type: Text<'l>,
    #[serde(borrow)]
    namespace: Option<Namespace<'l>>,
    data: Option<Asked>,
}

#[derive(Deserialize)]
struct Namespace<'l> {
    #[serde(borrow)]
    path: Text<'l>,
}

/// What of a body says what was changed.
#[derive(Deserialize, Default)]
struct Asked {
    name: Option<IgnoredAny>,
    metadata: Option<IgnoredAny>,
    disabled: Option<Value>,
    policies: Option<IgnoredAny>,
    member_entity_ids: Option<IgnoredAny>,
    member_group_ids: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
struct Response<'l> {
    #[serde(borrow)]
    auth: Option<Auth<'l>>,
    data: Option<Answered>,
}

#[derive(Deserialize)]
struct Answered {
    id: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// What a request did.
#[derive(Default)]
struct Deed<'l> {
    /// Where, without the names of anybody or anything.
    place: &'static str,
    account: Option<Cow<'l, str>>,
    name: Option<String>,
    group: Option<&'l str>,
    about: Vec<About>,
}

/// When a line was written, and what it tells of accounts, without a mark. The error says why it cannot be read.
pub(super) fn told(text: &[u8], settings: &Settings) -> Result<(Timestamp, Vec<Entry>), String> {
    let unread = |error| format!("is none of the audit device's: {error}");
    let line: Line<'_> = serde_json::from_slice(text).map_err(unread)?;
    let (at, told) = (line.time, entries(&line, settings));
    Ok((at, told))
}

/// When a line was written, by its beginning.
pub(super) fn time(begin: &[u8]) -> Option<Timestamp> {
    let rest = begin.strip_prefix(br#"{"time":""#)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

fn entries(line: &Line<'_>, settings: &Settings) -> Vec<Entry> {
    let answer = line.response.as_ref().filter(|_| line.kind == "response" && line.error.is_none());
    // A refusal of what is behind a path stands in the answer.
    let answer = answer.filter(|answer| answer.data.as_ref().is_none_or(|data| data.error.is_none()));
    let (Some(request), Some(answer)) = (&line.request, answer) else { return Vec::new() };
    let space = request.namespace.as_ref().and_then(|space| space.path.as_deref()).unwrap_or_default();
    if space.trim_matches('/') != settings.namespace {
        return Vec::new();
    }
    let Some(deed) = deed(request, answer) else { return Vec::new() };
    let entity = line.auth.entity_id.as_deref().filter(|id| !id.is_empty());
    let shown = line.auth.display_name.as_deref().filter(|name| !name.is_empty());
    let actor = match (shown, entity) {
        (Some(shown), Some(entity)) => format!("{shown} ({entity})"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "nobody".to_owned(),
    };
    let is_ours = |name: &str| settings.ours.iter().any(|ours| ours == name);
    let entry = |about: &About| Entry {
        mark: String::new(),
        at: line.time,
        actor: actor.clone(),
        ours: entity.is_some_and(is_ours) || shown.is_some_and(is_ours),
        deed: format!("{} {}", request.operation, deed.place),
        account: deed.account.clone().map(Cow::into_owned),
        name: deed.name.clone(),
        group: deed.group.map(str::to_owned),
        about: *about,
    };
    deed.about.iter().map(entry).collect()
}

/// What a request did to accounts, if anything.
fn deed<'l>(request: &'l Request<'_>, answer: &Response<'l>) -> Option<Deed<'l>> {
    let deletes = match &*request.operation {
        "create" | "update" | "patch" => false,
        "delete" => true,
        _ => return None,
    };
    let nothing = Asked::default();
    let asked = request.data.as_ref().unwrap_or(&nothing);
    let new = answer.data.as_ref().is_some_and(|data| data.id.is_some());
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let told = |place, about: Vec<About>| Deed { place, about, ..Deed::default() };
    let deed = match &path[..] {
        // By a name it is made, where nobody has it.
        ["identity", "entity"] if new => told("identity/entity", asked.gives()),
        ["identity", "entity", "name", ..] if new => told("identity/entity/name", asked.gives()),
        ["identity", "entity"] => told("identity/entity", asked.changes(false)),
        ["identity", "entity", "id", id] => {
            let about = if deletes { vec![About::End] } else { asked.changes(asked.name.is_some()) };
            Deed { account: Some(Cow::Borrowed(id)), ..told("identity/entity/id", about) }
        }
        ["identity", "entity", "name", name @ ..] => {
            let about = if deletes { vec![About::End] } else { asked.changes(asked.name.is_some()) };
            Deed { name: Some(name.join("/")), ..told("identity/entity/name", about) }
        }
        ["identity", "entity", "batch-delete"] => told("identity/entity/batch-delete", vec![About::End]),
        // What one had the other has.
        ["identity", "entity", "merge"] => {
            let moved = [SecondaryAccounts, DirectGroups, Roles].map(About::Changed);
            told("identity/entity/merge", [About::End].into_iter().chain(moved).collect())
        }
        ["identity", "entity-alias" | "alias" | "persona", ..] => {
            told("identity/entity-alias", vec![About::Changed(SecondaryAccounts)])
        }
        ["identity", "group"] => told("identity/group", asked.members()),
        ["identity", "group", "id", id] => {
            let about = if deletes { group_ends() } else { asked.members() };
            Deed { group: Some(id), ..told("identity/group/id", about) }
        }
        ["identity", "group", "name", ..] => {
            let about = if deletes { group_ends() } else { asked.members() };
            told("identity/group/name", about)
        }
        ["auth", "token", "create" | "create-orphan", ..] => {
            let entity = answer.auth.as_ref().and_then(|auth| auth.entity_id.clone());
            let account = entity.filter(|id| !id.is_empty());
            Deed { account, ..told("auth/token/create", vec![About::Given(VaultTokens)]) }
        }
        ["auth", "token", "revoke" | "revoke-accessor" | "revoke-orphan", ..] => {
            told("auth/token/revoke", vec![About::Taken(VaultTokens)])
        }
        ["sys", "leases", "revoke" | "revoke-force" | "revoke-prefix", ..]
        | ["sys", "revoke" | "revoke-force" | "revoke-prefix", ..] => {
            told("sys/leases/revoke", vec![About::Taken(VaultTokens)])
        }
        _ if request.mount_type.as_deref().is_some_and(|kind| kind.ends_with("approle")) => {
            let about = match &path[..] {
                [.., "role", _, "secret-id" | "custom-secret-id"] => About::Given(ApiTokens),
                [.., "role", _, "secret-id" | "secret-id-accessor", "destroy"] => About::Taken(ApiTokens),
                [.., "role", _] if deletes => About::Taken(ApiTokens),
                _ => return None,
            };
            told("auth/approle/role", vec![about])
        }
        _ => return None,
    };
    Some(deed)
}

fn group_ends() -> Vec<About> {
    [DirectGroups, NestedGroups].map(About::Taken).into()
}

impl Asked {
    /// What is given with a new entity.
    fn gives(&self) -> Vec<About> {
        let roles = self.policies.map(|_| About::Given(Roles));
        [About::Given(PrimaryAccount)].into_iter().chain(roles).collect()
    }

    /// What is changed of one that is there. Blocking alone is told from the rest: the flag is not hashed.
    fn changes(&self, renames: bool) -> Vec<About> {
        let roles = self.policies.map(|_| About::Changed(Roles));
        let alone = !renames && self.metadata.is_none();
        let itself = match &self.disabled {
            Some(Value::Bool(true)) if alone => Some(About::Taken(PrimaryAccount)),
            Some(Value::Bool(false)) if alone => Some(About::Given(PrimaryAccount)),
            None if alone && roles.is_some() => None,
            Some(_) | None => Some(About::Changed(PrimaryAccount)),
        };
        itself.into_iter().chain(roles).collect()
    }

    /// What is changed of a group, as far as it is about who is in it.
    fn members(&self) -> Vec<About> {
        let direct = self.member_entity_ids.map(|_| About::Changed(DirectGroups));
        let nested = self.member_group_ids.map(|_| About::Changed(NestedGroups));
        direct.into_iter().chain(nested).collect()
    }
}
