//! What an entity says it holds itself: that it is there, its aliases, groups and policies.

use bailiwick_connector::{Object, Page, Result, Visit};
use bailiwick_core::access::AccessClass;

use super::{decode, read::Reader, unsupported};

/// Shows everything of a class, on one page. Who is not there holds nothing.
pub(super) async fn list(
    reader: &Reader<'_>,
    account: &str,
    class: AccessClass,
    visit: Visit<'_>,
) -> Result<Page> {
    use AccessClass::{DirectGroups, NestedGroups, PrimaryAccount, Roles, SecondaryAccounts};
    if ![PrimaryAccount, SecondaryAccounts, DirectGroups, NestedGroups, Roles].contains(&class) {
        return Err(unsupported(class.title()));
    }
    let whole = Page { next: None, complete: true };
    let Some(entity) = reader.entity(account).await? else { return Ok(whole) };
    match class {
        PrimaryAccount => visit(decode::account(entity, Some(account), reader.settings)?),
        SecondaryAccounts => entity.aliases.into_iter().flatten().map(decode::alias).for_each(visit),
        DirectGroups => groups(reader, entity.direct_group_ids, visit).await?,
        NestedGroups => groups(reader, entity.inherited_group_ids, visit).await?,
        _ => entity.policies.into_iter().flatten().map(policy).for_each(visit),
    }
    Ok(whole)
}

async fn groups(reader: &Reader<'_>, ids: Option<Vec<String>>, visit: Visit<'_>) -> Result<()> {
    for id in ids.into_iter().flatten() {
        if let Some(group) = reader.group(&id).await? {
            visit(decode::group(group, &id)?);
        }
    }
    Ok(())
}

fn policy(name: String) -> Object<'static> {
    Object { id: name.clone().into(), name: name.into(), ..Object::default() }
}
