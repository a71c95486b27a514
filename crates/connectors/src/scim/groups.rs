//! Who is in which group, read from the groups: what a user says of its own groups is not believed.
//!
//! A filter only narrows what is looked at, because some systems ignore it; whether somebody is in a
//! group is seen in its `members`. Only where a system shows these neither in a list nor in the group
//! itself is a filter believed, as long as nothing on the page belies it.

use std::collections::BTreeSet;

use bailiwick_connector::{Answer, ConnectorError, ErrorKind, Object, Page, Result, Visit};

use super::{
    decode::{TypedGroup, group, info, parse, parse_list},
    paging::Place,
    path::quoted,
    read::{GROUPS, LOOK, Reader, group_of},
};

/// Groups that have a certain member, and where the listing stands.
pub(super) struct Holding {
    /// The groups, without their members.
    pub(super) groups: Vec<Object<'static>>,
    pub(super) page: Page,
}

impl Reader<'_> {
    /// Shows the groups that an account is directly in, page by page.
    pub(super) async fn direct_groups(
        &self,
        account: &str,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let Holding { groups, page } = self.holding(account, cursor, size).await?;
        groups.into_iter().for_each(visit);
        Ok(page)
    }

    /// Shows the groups that an account is in only through other groups, in one page. Each is visited
    /// once, so groups that contain each other do no harm; and none before all are known, so that a
    /// walk that fails can be begun again.
    pub(super) async fn nested_groups(&self, account: &str, visit: Visit<'_>) -> Result<Page> {
        let (direct, mut complete) = self.all_holding(account).await?;
        let mut known: BTreeSet<String> = direct.iter().map(|group| group.id.to_string()).collect();
        let mut frontier: Vec<String> = known.iter().cloned().collect();
        let mut nested = Vec::new();
        while let Some(id) = frontier.pop() {
            let (parents, all) = self.all_holding(&id).await?;
            complete &= all;
            for parent in parents {
                if known.insert(parent.id.to_string()) {
                    frontier.push(parent.id.to_string());
                    nested.push(parent);
                }
            }
        }
        nested.into_iter().for_each(visit);
        Ok(Page { next: None, complete })
    }

    /// All groups that have a member, and whether these are certainly all.
    pub(super) async fn all_holding(&self, member: &str) -> Result<(Vec<Object<'static>>, bool)> {
        let Holding { mut groups, mut page } = self.holding(member, None, LOOK).await?;
        while let Some(next) = page.next.take() {
            let more = self.holding(member, Some(&next), LOOK).await?;
            groups.extend(more.groups);
            page = more.page;
        }
        Ok((groups, page.complete))
    }

    /// One page of the groups that have a member.
    async fn holding(&self, member: &str, cursor: Option<&str>, size: u32) -> Result<Holding> {
        let filter = format!("members.value eq {}", quoted(member));
        let (filtered, place, answer) = match cursor.map(Where::parse).transpose()? {
            None => {
                let place = self.place(None, size)?;
                let first = self.first_page(GROUPS, &filter, &place).await;
                // That there are no groups to look at says nothing of the account, as it would be taken to.
                let kind = |kind| if kind == ErrorKind::NotFound { ErrorKind::Unsupported } else { kind };
                let (filtered, answer) =
                    first.map_err(|error| ConnectorError { kind: kind(error.kind), ..error })?;
                (filtered, place, answer)
            }
            Some(Where { filtered, place }) => {
                let answer = self.page(GROUPS, filtered.then_some(filter.as_str()), &place).await?;
                (filtered, place, answer)
            }
        };
        let mut list = parse_list::<TypedGroup<'_>>(&answer.body)?;
        let mut verdict = place.judge(&info(&list));
        let mut groups = Vec::new();
        if verdict.fresh {
            let (mut silent, mut belied, mut unreadable) = (Vec::new(), false, false);
            for one in list.resources.iter_mut().flatten() {
                let says = one.members.is_some();
                match group(one) {
                    None => unreadable = true,
                    Some(object) if !says => silent.push(object.into_owned()),
                    Some(object) if object.links.iter().any(|link| link == member) => {
                        groups.push(Object { links: Vec::new(), ..object }.into_owned());
                    }
                    Some(_) => belied = true,
                }
            }
            for object in silent {
                let is_in = self.is_member(&object.id, member).await?;
                groups.extend(is_in.unwrap_or(filtered && !belied).then_some(object));
            }
            if unreadable {
                verdict.page = Place::unreadable(verdict.page);
            }
        }
        let next = verdict.page.next.map(|next| Where::text(filtered, &next));
        Ok(Holding { groups, page: Page { next, complete: verdict.page.complete } })
    }

    /// Whether a member is in a group, seen in the group; none if it does not show its members.
    async fn is_member(&self, group: &str, member: &str) -> Result<Option<bool>> {
        match self.exchange.read_one(GROUPS, group).await? {
            None => Ok(Some(false)),
            Some(answer) => shows_member(&answer, group, member),
        }
    }
}

/// Whether a member is in the group in an answer; none if that does not show its members.
pub(super) fn shows_member(answer: &Answer, id: &str, member: &str) -> Result<Option<bool>> {
    let group: TypedGroup<'_> = parse(&answer.body)?;
    let object = group_of(answer, id)?;
    Ok(group.members.map(|_| object.links.iter().any(|link| link == member)))
}

/// Where a listing of groups by member stands: all its pages are filtered, or none.
struct Where {
    filtered: bool,
    place: Place,
}

impl Where {
    fn text(filtered: bool, place: &str) -> String {
        format!("{}{place}", if filtered { "f." } else { "a." })
    }

    fn parse(text: &str) -> Result<Self> {
        let (filtered, place) = match (text.strip_prefix("f."), text.strip_prefix("a.")) {
            (Some(place), _) => (true, place),
            (None, Some(place)) => (false, place),
            (None, None) => {
                let message = format!("`{text}` is not a cursor of this listing");
                return Err(ConnectorError::none(ErrorKind::Invalid, message));
            }
        };
        Ok(Self { filtered, place: place.parse()? })
    }
}
