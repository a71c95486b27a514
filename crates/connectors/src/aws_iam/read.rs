//! Users and groups as the contract shows them.
//!
//! IAM acts on names; the id of an account here is the `UserId`, because a name can be given to somebody else
//! after its holder is gone. Between finding the name of an id and acting on it there is a moment that no
//! condition of this API closes.

use bailiwick_connector::{Listing, Locator, Object, ObjectState, ObjectValue, Page, Result, Visit};
use bailiwick_core::{access::AccessClass, scope::Operation};

use super::{
    AwsIam,
    decode::{Element, User, document, malformed},
    encode::{DENY, DISABLED_TAG, NAME, PATH, deny_all, iam, on},
    exchange::Exchange,
    held::{Kind, holding},
    unsupported,
};

/// The largest page of IAM, for lists that are read to their end.
const PAGE: u32 = 1_000;

/// Reads one system.
pub(super) struct Reader<'a> {
    pub(super) aws: &'a AwsIam,
    pub(super) exchange: Exchange<'a>,
}

/// A user of a listing, which says itself whether it is denied everything.
type Detailed = (User, bool);

impl Reader<'_> {
    /// Users with their tags and inline policies, which only this action shows for many at once.
    fn details() -> bailiwick_connector::Action {
        iam(Operation::List, "GetAccountAuthorizationDetails").with("Filter.member.1", "User")
    }

    pub(super) async fn users(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let mut users = Vec::new();
        let size = size.clamp(1, self.aws.settings.page_size);
        let each = |result: Element<'_>| read_details(result, &mut users);
        let page = self.exchange.page(Self::details(), cursor, size, each).await?;
        let mut objects = Vec::with_capacity(users.len());
        for (user, denied) in users {
            self.aws.remember(&user);
            objects.push(self.shown(user, denied).await?);
        }
        objects.into_iter().for_each(visit);
        Ok(page)
    }

    /// The user that bears the hub's marker. Fails with `Malformed` when the system did not show everybody.
    pub(super) async fn marked(&self, marker: &str) -> Result<Option<Detailed>> {
        let (tag, mut found) = (&self.aws.settings.marker_tag, None);
        let complete = self
            .exchange
            .pages(Self::details(), PAGE, |result| {
                let mut users = Vec::new();
                read_details(result, &mut users)?;
                found = users.into_iter().find(|(user, _)| user.tag(tag) == Some(marker));
                Ok(found.is_some())
            })
            .await?;
        sure(found, complete)
    }

    /// The user with this name.
    pub(super) async fn named(&self, name: &str) -> Result<Option<User>> {
        let Some(answered) = self.exchange.find(on(Operation::Get, "GetUser", name)).await? else {
            return Ok(None);
        };
        let user = answered.read(|result| {
            User::read(result.child("User").ok_or_else(|| malformed("`GetUser` answers without a user"))?)
        })?;
        // The case of a name does not count on this system; a different name is a different user.
        if user.name.to_lowercase() != name.to_lowercase() {
            return Err(malformed(format!("asked for the user `{name}`, the system shows `{}`", user.name)));
        }
        Ok(Some(user))
    }

    /// The user with this id.
    pub(super) async fn user(&self, id: &str) -> Result<Option<User>> {
        if let Some(name) = self.aws.remembered(id)
            && let Some(user) = self.named(&name).await?.filter(|user| user.id == id)
        {
            return Ok(Some(user));
        }
        let mut name = None;
        let complete = self
            .exchange
            .pages(iam(Operation::List, "ListUsers"), PAGE, |result| {
                let found = result.members("Users").find(|user| user.text("UserId") == Some(id));
                name = found.map(|user| user.need("UserName").map(str::to_owned)).transpose()?;
                Ok(name.is_some())
            })
            .await?;
        let Some(name) = sure(name, complete)? else { return Ok(None) };
        let user = self.named(&name).await?.filter(|user| user.id == id);
        user.iter().for_each(|user| self.aws.remember(user));
        Ok(user)
    }

    /// Whether the user is denied everything by the hub's own policy, as the hub wrote it.
    pub(super) async fn denied(&self, user: &User) -> Result<bool> {
        let policy = on(Operation::Get, "GetUserPolicy", &user.name).with("PolicyName", DENY);
        match self.exchange.find(policy).await? {
            Some(answered) => answered.read(|result| Ok(denies(result.need("PolicyDocument")?))),
            None => Ok(false),
        }
    }

    /// Whether the user's credentials were switched off and still are.
    pub(super) async fn switched_off(&self, user: &User) -> Result<bool> {
        if user.tag(DISABLED_TAG).is_none() {
            return Ok(false);
        }
        let holding = holding(self.exchange, user, Kind::credentials(&self.aws.settings)).await?;
        Ok(holding.complete && holding.items.iter().all(|item| !item.live))
    }

    async fn shown(&self, user: User, denied: bool) -> Result<Object<'static>> {
        let blocked = denied || self.switched_off(&user).await?;
        let settings = &self.aws.settings;
        let text = |value: &str| ObjectValue::Text(value.to_owned().into());
        let mut attributes = vec![
            (NAME.into(), text(&user.name)),
            (PATH.into(), text(&user.path)),
            ("arn".into(), text(&user.arn)),
        ];
        for (name, key) in &settings.attributes {
            attributes.extend(user.tag(key).map(|value| (name.clone().into(), text(value))));
        }
        Ok(Object {
            marker: user.tag(&settings.marker_tag).map(|marker| marker.to_owned().into()),
            id: user.id.into(),
            name: user.name.into(),
            state: if blocked { ObjectState::Blocked } else { ObjectState::Live },
            attributes,
            ..Object::default()
        })
    }

    pub(super) async fn groups(&self, cursor: Option<&str>, size: u32, visit: Visit<'_>) -> Result<Page> {
        let mut groups = Vec::new();
        let size = size.clamp(1, self.aws.settings.page_size);
        let list = iam(Operation::List, "ListGroups");
        let each = |result: Element<'_>| {
            for group in result.members("Groups") {
                groups.push(group.need("GroupName")?.to_owned());
            }
            Ok(())
        };
        let mut page = self.exchange.page(list, cursor, size, each).await?;
        for name in groups {
            // It may be gone since it was listed.
            if let Some((group, complete)) = self.group(&name).await? {
                page.complete &= complete;
                visit(group);
            }
        }
        Ok(page)
    }

    /// A group with its members, and whether that is all of them.
    async fn group(&self, name: &str) -> Result<Option<(Object<'static>, bool)>> {
        let mut group = Object::default();
        let get = iam(Operation::Get, "GetGroup").with("GroupName", name);
        let read = self.exchange.pages(get, PAGE, |result| {
            let shown =
                result.child("Group").ok_or_else(|| malformed("`GetGroup` answers without a group"))?;
            group.id = shown.need("GroupId")?.to_owned().into();
            group.name = shown.need("GroupName")?.to_owned().into();
            for member in result.members("Users") {
                group.links.push(member.need("UserId")?.to_owned().into());
            }
            Ok(false)
        });
        match read.await {
            Ok(complete) => Ok(Some((group, complete))),
            Err(error) if error.kind == bailiwick_connector::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The name of the group with this id.
    pub(super) async fn group_name(&self, id: &str) -> Result<Option<String>> {
        let mut name = None;
        let complete = self
            .exchange
            .pages(iam(Operation::List, "ListGroups"), PAGE, |result| {
                let found = result.members("Groups").find(|group| group.text("GroupId") == Some(id));
                name = found.map(|group| group.need("GroupName").map(str::to_owned)).transpose()?;
                Ok(name.is_some())
            })
            .await?;
        sure(name, complete)
    }

    pub(super) async fn get(&self, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        let user = match locator {
            Locator::Person(_) => return Err(unsupported("people")),
            Locator::Group(id) => {
                let Some(name) = self.group_name(id).await? else { return Ok(None) };
                return match self.group(&name).await? {
                    Some((_, false)) => {
                        Err(malformed(format!("the group `{name}` does not show all members")))
                    }
                    Some((group, true)) => Ok(Some(group)),
                    None => Ok(None),
                };
            }
            Locator::AccountMarked(marker) => {
                let Some((user, denied)) = self.marked(marker).await? else { return Ok(None) };
                return self.shown(user, denied).await.map(Some);
            }
            Locator::Account(id) => self.user(id).await?,
            // Without a name the system would show who asks.
            Locator::AccountNamed("") => None,
            Locator::AccountNamed(name) => self.named(name).await?,
        };
        let Some(user) = user else { return Ok(None) };
        let denied = self.denied(&user).await?;
        self.shown(user, denied).await.map(Some)
    }

    pub(super) async fn list(
        &self,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let (account, class) = match listing {
            Listing::People => return Err(unsupported("people")),
            Listing::Accounts => return self.users(cursor, size, visit).await,
            Listing::Groups => return self.groups(cursor, size, visit).await,
            Listing::Held { account, class } => (account, class),
        };
        let end = Page { next: None, complete: true };
        if class == AccessClass::PrimaryAccount {
            self.get(Locator::Account(account)).await?.into_iter().for_each(visit);
            return Ok(end);
        }
        let kinds = self.aws.kinds(class)?;
        // Who is not there holds nothing.
        let Some(user) = self.user(account).await? else { return Ok(end) };
        let holding = holding(self.exchange, &user, kinds.into_iter()).await?;
        holding.items.into_iter().map(super::held::Held::object).for_each(visit);
        Ok(Page { complete: holding.complete, ..end })
    }
}

/// What was found; not finding it proves nothing when not everything was shown.
fn sure<T>(found: Option<T>, complete: bool) -> Result<Option<T>> {
    match found {
        None if !complete => Err(malformed("it is not among what the system shows, which is not everything")),
        found => Ok(found),
    }
}

fn read_details(result: Element<'_>, users: &mut Vec<Detailed>) -> Result<()> {
    for detail in result.members("UserDetailList") {
        let mut policies = detail.members("UserPolicyList");
        let deny = policies.find(|policy| policy.text("PolicyName") == Some(DENY));
        let denied = deny.and_then(|policy| policy.text("PolicyDocument")).is_some_and(denies);
        users.push((User::read(detail)?, denied));
    }
    Ok(())
}

fn denies(text: &str) -> bool {
    document(text).is_some_and(|policy| policy == deny_all())
}
