//! What a user holds: one row for each kind of thing, with the actions that list it, take it and switch it
//! off.
//!
//! Absent on purpose: sessions. IAM shows neither the temporary credentials of a user nor who has assumed a
//! role, so nothing is said about them.

use bailiwick_connector::{Action, ErrorKind, Object, ObjectState, ObjectValue, Result};
use bailiwick_core::{access::AccessClass, scope::Operation};
use serde_json::Value;

use super::{
    decode::{User, document, malformed},
    encode::{OWN, iam, on},
    exchange::Exchange,
    settings::Settings,
    trust,
};

/// A kind of thing that a user holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    AttachedPolicy,
    InlinePolicy,
    /// A role whose trust policy names the user.
    Trust,
    /// The password for the console.
    LoginProfile,
    AccessKey,
    ServiceCredential,
    SshKey,
    Certificate,
    Mfa,
}

/// The id of the one login profile that a user can have.
const LOGIN_PROFILE: &str = "login-profile";
/// Before the name of an inline policy, which is no id outside of its user. No ARN begins so.
const INLINE: &str = "inline:";
/// How many are asked for at once.
const PAGE: u32 = 1_000;

/// How a kind is listed for one user, taken, and switched off.
struct Row {
    kind: Kind,
    list: &'static str,
    /// The element with the members.
    members: &'static str,
    /// The element of a member with its id, and the one with its name; empty: the member itself.
    id: &'static str,
    name: &'static str,
    take: &'static str,
    /// The parameter that says which one, and whether it takes the name.
    which: &'static str,
    by_name: bool,
    /// The action that makes it inactive.
    off: Option<&'static str>,
}

#[rustfmt::skip]
const ROWS: [Row; 8] = [
    Row { kind: Kind::Group, list: "ListGroupsForUser", members: "Groups",
          id: "GroupId", name: "GroupName", take: "RemoveUserFromGroup", which: "GroupName", by_name: true, off: None },
    Row { kind: Kind::AttachedPolicy, list: "ListAttachedUserPolicies", members: "AttachedPolicies",
          id: "PolicyArn", name: "PolicyName", take: "DetachUserPolicy", which: "PolicyArn", by_name: false, off: None },
    Row { kind: Kind::InlinePolicy, list: "ListUserPolicies", members: "PolicyNames",
          id: "", name: "", take: "DeleteUserPolicy", which: "PolicyName", by_name: true, off: None },
    Row { kind: Kind::AccessKey, list: "ListAccessKeys", members: "AccessKeyMetadata",
          id: "AccessKeyId", name: "AccessKeyId", take: "DeleteAccessKey", which: "AccessKeyId", by_name: false, off: Some("UpdateAccessKey") },
    Row { kind: Kind::ServiceCredential, list: "ListServiceSpecificCredentials", members: "ServiceSpecificCredentials",
          id: "ServiceSpecificCredentialId", name: "ServiceName", take: "DeleteServiceSpecificCredential",
          which: "ServiceSpecificCredentialId", by_name: false, off: Some("UpdateServiceSpecificCredential") },
    Row { kind: Kind::SshKey, list: "ListSSHPublicKeys", members: "SSHPublicKeys",
          id: "SSHPublicKeyId", name: "SSHPublicKeyId", take: "DeleteSSHPublicKey", which: "SSHPublicKeyId", by_name: false,
          off: Some("UpdateSSHPublicKey") },
    Row { kind: Kind::Certificate, list: "ListSigningCertificates", members: "Certificates",
          id: "CertificateId", name: "CertificateId", take: "DeleteSigningCertificate", which: "CertificateId", by_name: false,
          off: Some("UpdateSigningCertificate") },
    Row { kind: Kind::Mfa, list: "ListMFADevices", members: "MFADevices",
          id: "SerialNumber", name: "SerialNumber", take: "DeactivateMFADevice", which: "SerialNumber", by_name: false, off: None },
];

/// One thing that a user holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) live: bool,
    /// The trust policy, of a role.
    policy: Option<Value>,
}

/// Things that a user holds, and whether that is all of them.
#[derive(Debug, Default)]
pub(super) struct Holding {
    pub(super) items: Vec<Held>,
    pub(super) complete: bool,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::LoginProfile,
        Self::AccessKey,
        Self::ServiceCredential,
        Self::SshKey,
        Self::Certificate,
        Self::Mfa,
        Self::Group,
        Self::AttachedPolicy,
        Self::InlinePolicy,
        Self::Trust,
    ];

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.kind == self)
    }

    /// The class it belongs to.
    pub(super) const fn class(self) -> AccessClass {
        match self {
            Self::Group => AccessClass::DirectGroups,
            Self::AttachedPolicy | Self::InlinePolicy | Self::Trust => AccessClass::Roles,
            // The password of the console is a key to the cloud like the others.
            Self::LoginProfile | Self::AccessKey => AccessClass::CloudKeys,
            Self::ServiceCredential => AccessClass::ApiTokens,
            Self::SshKey | Self::Certificate => AccessClass::SshKeys,
            Self::Mfa => AccessClass::DeviceTrust,
        }
    }

    /// The kinds that the system has.
    pub(super) fn known(settings: &Settings) -> impl Iterator<Item = Self> {
        let all = settings.service_credentials;
        Self::ALL.into_iter().filter(move |kind| all || *kind != Self::ServiceCredential)
    }

    /// The kinds that let somebody in by themselves.
    pub(super) fn credentials(settings: &Settings) -> impl Iterator<Item = Self> {
        Self::known(settings)
            .filter(|kind| *kind == Self::LoginProfile || kind.row().is_some_and(|row| row.off.is_some()))
    }
}

impl Held {
    /// The action that takes it from the user.
    pub(super) fn removal(&self, user: &User) -> Action {
        match (self.kind.row(), &self.policy) {
            (Some(row), _) => {
                let which = if row.by_name { &self.name } else { &self.id };
                on(Operation::Revoke, row.take, &user.name).with(row.which, which)
            }
            (None, Some(policy)) => iam(Operation::Revoke, "UpdateAssumeRolePolicy")
                .with("RoleName", &self.name)
                .with("PolicyDocument", trust::without(policy, &user.arn).to_string()),
            (None, None) => on(Operation::Revoke, "DeleteLoginProfile", &user.name),
        }
    }

    /// The action that makes it useless and keeps it where that can be. `None` when it lets nobody in.
    pub(super) fn switch_off(&self, user: &User) -> Option<Action> {
        match self.kind.row() {
            Some(row) => {
                let off = on(Operation::Update, row.off?, &user.name);
                Some(off.with(row.which, &self.id).with("Status", "Inactive"))
            }
            None if self.kind == Kind::LoginProfile => {
                Some(on(Operation::Update, "DeleteLoginProfile", &user.name))
            }
            None => None,
        }
    }

    /// As a listing shows it.
    pub(super) fn object(self) -> Object<'static> {
        let kind = match self.kind {
            Kind::Group => "group",
            Kind::AttachedPolicy => "attached policy",
            Kind::InlinePolicy => "inline policy",
            Kind::Trust => "role that trusts the user",
            Kind::LoginProfile => "console password",
            Kind::AccessKey => "access key",
            Kind::ServiceCredential => "service-specific credential",
            Kind::SshKey => "SSH public key",
            Kind::Certificate => "signing certificate",
            Kind::Mfa => "MFA device",
        };
        Object {
            id: self.id.into(),
            name: self.name.into(),
            state: if self.live { ObjectState::Live } else { ObjectState::Blocked },
            attributes: vec![("kind".into(), ObjectValue::Text(kind.into()))],
            ..Object::default()
        }
    }
}

/// Everything of these kinds that the user holds. The hub's own policies are not among it: the one says that
/// the account is disabled, the other is there for a canary alone.
pub(super) async fn holding(
    exchange: Exchange<'_>,
    user: &User,
    kinds: impl Iterator<Item = Kind>,
) -> Result<Holding> {
    let mut holding = Holding { items: Vec::new(), complete: true };
    for kind in kinds {
        match kind.row() {
            Some(row) => rows(exchange, user, row, &mut holding).await?,
            None if kind == Kind::LoginProfile => {
                let profile = on(Operation::Get, "GetLoginProfile", &user.name);
                if exchange.find(profile).await?.is_some() {
                    let (id, name) = (LOGIN_PROFILE.to_owned(), LOGIN_PROFILE.to_owned());
                    holding.items.push(Held { kind, id, name, live: true, policy: None });
                }
            }
            None => trusts(exchange, user, &mut holding).await?,
        }
    }
    Ok(holding)
}

async fn rows(exchange: Exchange<'_>, user: &User, row: &Row, holding: &mut Holding) -> Result<()> {
    let action = on(Operation::List, row.list, &user.name);
    let items = &mut holding.items;
    let complete = exchange
        .pages(action, PAGE, |result| {
            for member in result.members(row.members) {
                let (id, name) = match row.id {
                    "" => (format!("{INLINE}{}", member.value()), member.value()),
                    id => (member.need(id)?.to_owned(), member.need(row.name)?),
                };
                if row.kind == Kind::InlinePolicy && OWN.contains(&name) {
                    continue;
                }
                let live = row.off.is_none() || !["Inactive", "Expired"].contains(&member.need("Status")?);
                items.push(Held { kind: row.kind, id, name: name.to_owned(), live, policy: None });
            }
            Ok(false)
        })
        .await;
    match complete {
        Ok(complete) => holding.complete &= complete,
        // Who is gone holds nothing.
        Err(error) if error.kind == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn trusts(exchange: Exchange<'_>, user: &User, holding: &mut Holding) -> Result<()> {
    let items = &mut holding.items;
    let complete = exchange
        .pages(iam(Operation::List, "ListRoles"), PAGE, |result| {
            for role in result.members("Roles") {
                let (id, name) = (role.need("Arn")?.to_owned(), role.need("RoleName")?.to_owned());
                let policy = document(role.need("AssumeRolePolicyDocument")?)
                    .ok_or_else(|| malformed(format!("the trust policy of the role `{name}` is not JSON")))?;
                if trust::names(&policy, &user.arn) {
                    items.push(Held { kind: Kind::Trust, id, name, live: true, policy: Some(policy) });
                }
            }
            Ok(false)
        })
        .await?;
    holding.complete &= complete;
    Ok(())
}
