//! Groups: their members as ids, and the groups that an account is in, directly and through others.
//!
//! A member is a name in the directory; what names it here is the id behind it, which is looked up for many
//! members at a time. A member that has no entry below the configured bases is shown by its name, because it
//! is there.
//! Absent on purpose: the members that have a group of Active Directory as their primary one. They are no
//! values of the group; an account shows that group among its own.

use std::collections::BTreeSet;

use bailiwick_connector::{
    ConnectorError, ErrorKind, Object, Page, Result, Visit,
    broker::ldap::{Base, Depth, Entry, Filter, Search, Shown},
};
use bailiwick_core::{dn::Dn, scope::Operation};

use super::{
    ask::{Query, unsearched},
    decode::id_of,
    read::{Found, Reader, id_filter},
    settings::{Dialect, Groups, Shape},
};

/// How many names are looked up at a time; below the 500 that many servers show at most.
pub(super) const NAMES: usize = 200;
/// Follows nested groups on the server (MS-ADTS §3.1.1.3.4.4.3).
pub(super) const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// How often a group is read whose members change while they are read.
const READINGS: usize = 3;

/// A group as it came, its members by name.
pub(super) struct Group {
    pub(super) dn: Dn,
    pub(super) id: String,
    name: String,
    version: Option<String>,
    members: Vec<String>,
    /// Where the rest of the members begins, if the directory gave only a range.
    rest: Option<usize>,
}

impl Group {
    /// Reads an entry; none if it has no id.
    pub(super) fn read(shape: &Shape, groups: &Groups, entry: &Entry<'_>) -> Option<Self> {
        let id = id_of(shape.dialect, entry.values(shape.id())?.next()?)?.into_owned();
        let dn: Dn = entry.name.parse().ok()?;
        let name = match entry.text(&groups.name) {
            Some(name) => name.to_owned(),
            None => dn.rdns().first()?.attributes().next()?.1.to_owned(),
        };
        let version = entry.text(shape.version()).map(str::to_owned);
        let mut group = Self { dn, id, name, version, members: Vec::new(), rest: None };
        group.take(groups, entry).then_some(group)
    }

    /// Takes members from an entry. `false` if one is no text.
    fn take(&mut self, groups: &Groups, entry: &Entry<'_>) -> bool {
        self.rest = None;
        for (name, values) in entry.attributes() {
            let (attribute, option) = name.split_once(';').unwrap_or((name, ""));
            if !attribute.eq_ignore_ascii_case(&groups.member) {
                continue;
            }
            for value in values {
                let Ok(member) = std::str::from_utf8(value) else { return false };
                self.members.push(member.to_owned());
            }
            // `range=0-1499`; the last one ends with `*` (MS-ADTS §3.1.1.3.1.3.3).
            if let Some((_, end)) = option.strip_prefix("range=").and_then(|range| range.split_once('-')) {
                self.rest = end.parse::<usize>().ok().map(|end| end + 1);
            }
        }
        true
    }
}

impl Reader<'_> {
    pub(super) fn grouping(&self) -> Result<&Groups> {
        self.shape().groups.as_ref().ok_or_else(|| super::unsupported("groups"))
    }

    pub(super) fn group_attributes<'g>(&'g self, groups: &'g Groups) -> [&'g str; 4] {
        [self.shape().id(), self.shape().version(), &groups.name, &groups.member]
    }

    /// One page of all groups, with their members.
    pub(super) async fn groups(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let groups = self.grouping()?;
        let query = Query {
            operation: Operation::List,
            base: &groups.base,
            filter: &groups.filter,
            attributes: &self.group_attributes(groups),
        };
        let mut came = Vec::new();
        let mut look = |entry: &Entry<'_>| {
            let group = Group::read(self.shape(), groups, entry);
            let understood = group.is_some();
            came.extend(group);
            understood
        };
        let page = self.ask().page(query, cursor, size, &mut look).await?;
        for group in came {
            visit(self.whole(groups, group, Operation::List).await?);
        }
        Ok(page)
    }

    /// The group with this id.
    pub(super) async fn group(&self, id: &str) -> Result<Option<Object<'static>>> {
        let groups = self.grouping()?;
        let Some(group) = self.find_group(id, &self.group_attributes(groups)).await? else { return Ok(None) };
        self.whole(groups, group, Operation::Get).await.map(Some)
    }

    /// The group with this id; its members only if their attribute is among those asked for.
    pub(super) async fn find_group(&self, id: &str, attributes: &[&str]) -> Result<Option<Group>> {
        let groups = self.grouping()?;
        let Some(filter) = id_filter(self.shape(), id) else { return Ok(None) };
        let filter = groups.filter.clone().and(filter);
        let query = Query { operation: Operation::Get, base: &groups.base, filter: &filter, attributes };
        let mut found = None;
        let mut look = |entry: &Entry<'_>| {
            let group = Group::read(self.shape(), groups, entry);
            let understood = group.is_some();
            found = group.filter(|group| group.id == id).or(found.take());
            understood
        };
        match (self.ask().all(query, &mut look).await?, found) {
            (false, None) => {
                let message =
                    format!("the directory did not show everything, so `{id}` cannot be said to be missing");
                Err(ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-incomplete"))
            }
            (_, found) => Ok(found),
        }
    }

    /// A group with all its members as ids.
    pub(super) async fn whole(
        &self,
        groups: &Groups,
        mut group: Group,
        operation: Operation,
    ) -> Result<Object<'static>> {
        let mut readings = 1;
        while let Some(from) = group.rest {
            let version = group.version.clone();
            self.range(groups, &mut group, from, operation).await?;
            // Who moved up into a place that was read already would be missed.
            if group.version != version {
                if readings == READINGS {
                    return Err(interrupted(&group.dn));
                }
                readings += 1;
                (group.members, group.rest) = (Vec::new(), Some(0));
            }
        }
        let placeholder = groups.placeholder.as_ref();
        let stands_in =
            |member: &String| placeholder.is_some_and(|dn| member.parse::<Dn>().as_ref() == Ok(dn));
        group.members.retain(|member| !stands_in(member));
        let links = self.ids_of(&group.members, operation).await?;
        Ok(Object {
            id: group.id.into(),
            name: group.name.into(),
            version: group.version.map(Into::into),
            links: links.into_iter().map(Into::into).collect(),
            ..Object::default()
        })
    }

    /// Reads members from a place on, and the version that the group has now.
    async fn range(
        &self,
        groups: &Groups,
        group: &mut Group,
        from: usize,
        operation: Operation,
    ) -> Result<()> {
        let attribute = format!("{};range={from}-*", groups.member);
        let search = Search {
            operation,
            base: Base::Entry(&group.dn.clone()),
            depth: Depth::Base,
            filter: &Filter::Present("objectClass".to_owned()),
            attributes: &[self.shape().id(), self.shape().version(), &attribute],
            controls: &[],
            connection: None,
        };
        let before = group.members.len();
        let (mut understood, mut same) = (true, false);
        let mut show = |shown: Shown<'_>| {
            if let Shown::Entry(entry) = shown {
                let id = entry.values(self.shape().id()).and_then(|mut values| values.next());
                same = id.and_then(|id| id_of(self.shape().dialect, id)).as_deref() == Some(&group.id);
                group.version = entry.text(self.shape().version()).map(str::to_owned);
                understood &= group.take(groups, &entry);
            }
        };
        let answered = self.line.search(&search, &mut show).await?;
        match answered.code {
            0 if same => {}
            // It was removed or renamed since it was read, whoever has its name now.
            0 | 32 => return Err(interrupted(&group.dn)),
            _ => return Err(unsearched(&answered, &group.dn)),
        }
        if !understood || (group.rest.is_some() && group.members.len() == before) {
            let message = format!("the members of `{}` cannot be read to their end", group.dn);
            return Err(ConnectorError::none(ErrorKind::Malformed, message));
        }
        Ok(())
    }

    /// The ids behind names of members; what has no entry keeps its name.
    async fn ids_of(&self, members: &[String], operation: Operation) -> Result<Vec<String>> {
        let (shape, groups) = (self.shape(), self.grouping()?);
        let attribute = if groups.by_name { shape.accounts.name.as_str() } else { shape.own_name() };
        let mut bases = vec![&shape.accounts.base];
        if !groups.by_name {
            // Each entry once, where one base contains the other.
            bases = match (groups.base.within(bases[0]), bases[0].within(&groups.base)) {
                (true, _) => bases,
                (_, true) => vec![&groups.base],
                (false, false) => vec![bases[0], &groups.base],
            };
        }
        let mut ids = Vec::with_capacity(members.len());
        for some in members.chunks(NAMES) {
            let filter = Filter::Or(some.iter().map(|member| Filter::equal(attribute, member)).collect());
            let mut found: Vec<(String, String)> = Vec::with_capacity(some.len());
            for base in &bases {
                let attributes = [shape.id(), &shape.accounts.name];
                let query = Query { operation, base, filter: &filter, attributes: &attributes };
                let mut look = |entry: &Entry<'_>| {
                    let id = entry.values(shape.id()).and_then(|mut values| values.next());
                    let Some(id) = id.and_then(|id| id_of(shape.dialect, id)) else { return false };
                    let named = match groups.by_name {
                        true => entry.text(&shape.accounts.name).unwrap_or_default(),
                        false => entry.name,
                    };
                    found.push((named.to_owned(), id.into_owned()));
                    true
                };
                if !self.ask().all(query, &mut look).await? {
                    let message = "the directory did not show all members of a group";
                    return Err(
                        ConnectorError::none(ErrorKind::Malformed, message).with_detail("answer-incomplete")
                    );
                }
            }
            if found.len() < some.len() {
                ids.extend(nameless(groups, some, &found));
            }
            ids.extend(found.into_iter().map(|(_, id)| id));
        }
        Ok(ids)
    }

    /// One page of the groups that an account is in directly.
    pub(super) async fn direct_groups(
        &self,
        account: &str,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let groups = self.grouping()?;
        let found = self.holder(account).await?;
        let filter = groups.filter.clone().and(self.holding(groups, &found));
        let attributes = [self.shape().id(), self.shape().version(), &groups.name];
        let query = Query {
            operation: Operation::List,
            base: &groups.base,
            filter: &filter,
            attributes: &attributes,
        };
        let mut look = |entry: &Entry<'_>| match Group::read(self.shape(), groups, entry) {
            Some(group) => {
                visit(shown(group));
                true
            }
            None => false,
        };
        self.ask().page(query, cursor, size, &mut look).await
    }

    /// The account of which something is listed.
    pub(super) async fn holder(&self, account: &str) -> Result<Found> {
        let found = self.find(account).await?;
        found.ok_or_else(|| {
            ConnectorError::none(ErrorKind::NotFound, format!("there is no account `{account}`"))
        })
    }

    /// Picks the groups that an account is in directly.
    fn holding(&self, groups: &Groups, found: &Found) -> Filter {
        let member = match groups.by_name {
            true => Filter::equal(&groups.member, found.object.name.as_bytes()),
            false => Filter::equal(&groups.member, found.dn.to_string()),
        };
        match primary_group(found) {
            Some(sid) => Filter::Or(vec![member, Filter::equal("objectSid", sid)]),
            None => member,
        }
    }

    /// Every group that an account is in directly. Whether all were shown.
    pub(super) async fn all_holding(&self, found: &Found) -> Result<(Vec<Group>, bool)> {
        let groups = self.grouping()?;
        self.groups_where(groups, self.holding(groups, found)).await
    }

    pub(super) async fn groups_where(&self, groups: &Groups, filter: Filter) -> Result<(Vec<Group>, bool)> {
        let filter = groups.filter.clone().and(filter);
        let attributes = [self.shape().id(), self.shape().version(), &groups.name];
        let query = Query {
            operation: Operation::List,
            base: &groups.base,
            filter: &filter,
            attributes: &attributes,
        };
        let mut found = Vec::new();
        let mut look = |entry: &Entry<'_>| {
            let group = Group::read(self.shape(), groups, entry);
            let understood = group.is_some();
            found.extend(group);
            understood
        };
        let whole = self.ask().all(query, &mut look).await?;
        Ok((found, whole))
    }

    /// The groups that an account is in only through others. Groups that are in each other are shown once.
    pub(super) async fn nested_groups(&self, account: &str, visit: Visit<'_>) -> Result<Page> {
        let groups = self.grouping()?;
        if groups.by_name {
            return Err(super::unsupported("groups in groups whose members are sign-in names"));
        }
        let found = self.holder(account).await?;
        let (direct, mut complete) = self.all_holding(&found).await?;
        let mut seen: BTreeSet<String> = direct.iter().map(|group| group.id.clone()).collect();
        let mut edge: Vec<Dn> = direct.into_iter().map(|group| group.dn).collect();
        while !edge.is_empty() {
            let mut next = Vec::new();
            for some in edge.chunks(NAMES) {
                let within = |dn: &Dn| match self.shape().dialect {
                    Dialect::OpenLdap => Filter::equal(&groups.member, dn.to_string()),
                    Dialect::ActiveDirectory => Filter::By {
                        attribute: groups.member.clone(),
                        rule: IN_CHAIN.to_owned(),
                        value: dn.to_string().into_bytes(),
                    },
                };
                let filter = Filter::Or(some.iter().map(within).collect());
                let (above, whole) = self.groups_where(groups, filter).await?;
                complete &= whole;
                for group in above {
                    if seen.insert(group.id.clone()) {
                        next.push(group.dn.clone());
                        visit(shown(group));
                    }
                }
            }
            // Active Directory has followed the whole chain by itself.
            edge = match self.shape().dialect {
                Dialect::OpenLdap => next,
                Dialect::ActiveDirectory => Vec::new(),
            };
        }
        Ok(Page { next: None, complete })
    }
}

fn interrupted(group: &Dn) -> ConnectorError {
    let message = format!("`{group}` was changed while its members were read; ask again");
    ConnectorError::none(ErrorKind::Unreachable, message).with_detail("listing-interrupted")
}

pub(super) fn shown(group: Group) -> Object<'static> {
    Object {
        id: group.id.into(),
        name: group.name.into(),
        version: group.version.map(Into::into),
        ..Object::default()
    }
}

/// The names of members behind which no entry was found. Names that only the server knows to be the same are
/// told apart here, so this can name one whose entry is shown too: rather twice than not at all.
fn nameless(groups: &Groups, asked: &[String], found: &[(String, String)]) -> Vec<String> {
    if groups.by_name {
        let known: BTreeSet<String> = found.iter().map(|(name, _)| name.to_lowercase()).collect();
        return asked.iter().filter(|name| !known.contains(&name.to_lowercase())).cloned().collect();
    }
    let known: BTreeSet<Dn> = found.iter().filter_map(|(name, _)| name.parse().ok()).collect();
    let nameless = |name: &&String| name.parse::<Dn>().map_or(true, |dn| !known.contains(&dn));
    asked.iter().filter(nameless).cloned().collect()
}

/// The `objectSid` of an account's primary group: its own with another last part (MS-DTYP §2.4.2.2).
fn primary_group(found: &Found) -> Option<Vec<u8>> {
    let mut sid = found.signs.sid.clone()?;
    let last = sid.last_chunk_mut::<4>()?;
    *last = found.signs.primary_group?.to_le_bytes();
    Some(sid)
}
