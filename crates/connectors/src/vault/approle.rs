//! Secret-ids of AppRole. A secret-id belongs to a role; the role is an account's if the entity has an alias
//! with the role's id at that mount.

use bailiwick_connector::{Object, Page, Result, Visit};
use bailiwick_core::scope::Operation;
use serde::Deserialize;

use super::{
    decode::Alias,
    exchange::{refusal, segment},
    read::Reader,
};

/// A secret-id that an account holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretId {
    /// The path of the role, such as `auth/approle/role/app`.
    pub(super) role: String,
    pub(super) accessor: String,
}

impl SecretId {
    /// Its id as something held.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.role, self.accessor)
    }
}

#[derive(Deserialize)]
struct RoleId {
    role_id: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

/// Shows all secret-ids of an account, on one page.
pub(super) async fn list(reader: &Reader<'_>, account: &str, visit: Visit<'_>) -> Result<Page> {
    for held in held(reader, account).await? {
        visit(Object { id: held.id().into(), name: held.role.into(), ..Object::default() });
    }
    Ok(Page { next: None, complete: true })
}

/// All secret-ids of an account. Who is not there holds none.
pub(super) async fn held(reader: &Reader<'_>, account: &str) -> Result<Vec<SecretId>> {
    let mut held = Vec::new();
    let Some(entity) = reader.entity(account).await? else { return Ok(held) };
    for alias in entity.aliases.into_iter().flatten().filter(|alias| alias.mount_type == "approle") {
        if let Some(role) = role_of(reader, &alias).await? {
            let accessors = accessors(reader, &role).await?;
            held.extend(accessors.into_iter().map(|accessor| SecretId { role: role.clone(), accessor }));
        }
    }
    held.sort_by_key(SecretId::id);
    Ok(held)
}

/// The path of the role whose id the alias has; `None` if there is none any more. A login leaves the name of
/// the role on the alias: it is looked at first.
async fn role_of(reader: &Reader<'_>, alias: &Alias) -> Result<Option<String>> {
    let mount = alias.mount_path.trim_end_matches('/');
    for part in mount.split('/') {
        segment(part)?;
    }
    let is = async |role: &str| {
        let path = format!("{mount}/role/{}", segment(role)?);
        let found: Option<RoleId> = reader.exchange.read(Operation::Get, &format!("{path}/role-id")).await?;
        Ok(found.is_some_and(|found| found.role_id == alias.name).then_some(path))
    };
    let hint = alias.metadata.as_ref().and_then(|metadata| metadata.get("role_name"));
    if let Some(hint) = hint
        && let Some(path) = is(hint).await?
    {
        return Ok(Some(path));
    }
    for role in reader.exchange.keys(&format!("{mount}/role")).await? {
        if let Some(path) = is(&role).await? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The accessors of a role's secret-ids; none if the role is gone.
async fn accessors(reader: &Reader<'_>, role: &str) -> Result<Vec<String>> {
    let path = format!("{role}/secret-id");
    let call = reader.exchange.call(Operation::List, "GET", &path).query("list", "true");
    let answer = reader.exchange.send_read(call).await?;
    match answer.status {
        200 => super::exchange::data::<Keys>(&answer).map(|keys| keys.keys),
        400 if super::exchange::said(&answer).contains("does not exist") => Ok(Vec::new()),
        _ => match refusal(&format!("LIST {path}"), false, &answer) {
            error if error.kind == bailiwick_connector::ErrorKind::NotFound => Ok(Vec::new()),
            error => Err(error),
        },
    }
}
