//! The 22 classes of access that can outlive a leaver.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $title:literal, $stage:ident;)*) => {
        /// A class of access: what an account can hold, seen by how it ends.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum AccessClass {
            $(#[doc = $title] #[serde(rename = $text)] $variant,)*
        }

        impl AccessClass {
            /// All classes, in the order of the matrix.
            pub const ALL: [Self; 22] = [$(Self::$variant),*];

            /// The stable name, kebab-case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// What people call it.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// When it ends in the order of a leaver.
            pub const fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage),* }
            }
        }
    };
}

classes! {
    PrimaryAccount = "primary-account", "primary account", Disable;
    SecondaryAccounts = "secondary-accounts", "secondary, local, ghost or guest accounts", Disable;
    DirectGroups = "direct-groups", "direct groups", Strip;
    NestedGroups = "nested-groups", "nested groups", Strip;
    Roles = "roles", "roles and delegated administration", Strip;
    Licences = "licences", "licences", Strip;
    MailboxRightsHeld = "mailbox-rights-held", "mailbox rights held", Strip;
    MailboxRightsGiven = "mailbox-rights-given", "mailbox rights given, forwarding, rules", Strip;
    OauthConsents = "oauth-consents", "OAuth consents", Kill;
    Sessions = "sessions", "sessions and refresh tokens", Kill;
    ApiTokens = "api-tokens", "personal access tokens and API keys", Kill;
    SshKeys = "ssh-keys", "SSH keys, signing keys and certificates", Kill;
    CloudKeys = "cloud-keys", "cloud keys and assumed roles", Kill;
    VaultTokens = "vault-tokens", "vault tokens and leases", Kill;
    PamSessions = "pam-sessions", "PAM safes and live sessions", Kill;
    DeviceTrust = "device-trust", "device trust, MFA, VPN, Kerberos", Kill;
    OwnedNhis = "owned-nhis", "owned non-human identities", Strip;
    Automations = "automations", "automations, webhooks, scheduled jobs", Strip;
    KnownSecrets = "known-secrets", "known secrets", Strip;
    HubRoles = "hub-roles", "governance roles in the hub", Strip;
    PartnerAccounts = "partner-accounts", "accounts in partner or client tenants", Disable;
    SecretCopies = "secret-copies", "copies of secrets", Strip;
}

impl AccessClass {
    /// Whether what is held of it works though the account does not: credentials, other accounts, and what acts by itself.
    /// The rest has an effect through the account alone.
    pub const fn works_alone(self) -> bool {
        match self.stage() {
            Stage::Kill => true,
            Stage::Disable => !matches!(self, Self::PrimaryAccount),
            Stage::Strip => matches!(
                self,
                Self::MailboxRightsGiven
                    | Self::OwnedNhis
                    | Self::Automations
                    | Self::KnownSecrets
                    | Self::SecretCopies
            ),
        }
    }
}

/// The order in which a leaver's access ends: live credentials first, so that nothing can be done with
/// them while the rest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Sessions, tokens and keys.
    Kill,
    /// Accounts.
    Disable,
    /// Everything that the account holds.
    Strip,
}

impl fmt::Display for AccessClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no class of access.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a class of access; the classes are {known}", known = AccessClass::ALL.map(AccessClass::as_str).join(", "))]
pub struct BadClass(String);

impl FromStr for AccessClass {
    type Err = BadClass;
    fn from_str(text: &str) -> Result<Self, BadClass> {
        Self::ALL.into_iter().find(|c| c.as_str() == text).ok_or_else(|| BadClass(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_one_name_that_reads_back_and_is_its_serde_form() {
        for class in AccessClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
        let through_the_account = AccessClass::ALL.into_iter().filter(|class| !class.works_alone());
        assert_eq!(
            through_the_account.map(AccessClass::as_str).collect::<Vec<_>>().join(" "),
            "primary-account direct-groups nested-groups roles licences mailbox-rights-held hub-roles"
        );
        assert!("token".parse::<AccessClass>().unwrap_err().to_string().contains("api-tokens"));
    }
}
