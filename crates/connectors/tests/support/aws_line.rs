//! A line to an IAM over any transport, with a sealed access key and a scope that has every action that the
//! connector takes and no other.

use std::sync::Arc;

use bailiwick_connector::{
    Broker, Line,
    broker::Transport,
    seal::{Credential, CredentialScheme, SealContext, SealKey, Secret},
    testkit::{Hands, Seeded},
};
use bailiwick_core::{
    id::Tenant,
    integration::{Integration, Purpose},
};
use serde_json::{Value, json};

/// What reading takes.
const READS: [&str; 16] = [
    "list GetAccountAuthorizationDetails",
    "list ListUsers",
    "list ListGroups",
    "list ListGroupsForUser",
    "list ListAttachedUserPolicies",
    "list ListUserPolicies",
    "list ListRoles",
    "list ListAccessKeys",
    "list ListServiceSpecificCredentials",
    "list ListSSHPublicKeys",
    "list ListSigningCertificates",
    "list ListMFADevices",
    "get GetUser",
    "get GetUserPolicy",
    "get GetGroup",
    "get GetLoginProfile",
];

/// What writing takes besides.
const WRITES: [&str; 30] = [
    "create CreateUser",
    "update TagUser",
    "update UntagUser",
    "update UpdateUser",
    "update PutUserPolicy",
    "revoke PutUserPolicy",
    "update DeleteUserPolicy",
    "update DeleteLoginProfile",
    "update UpdateAccessKey",
    "update UpdateServiceSpecificCredential",
    "update UpdateSSHPublicKey",
    "update UpdateSigningCertificate",
    "delete DeleteUser",
    "delete DeleteUserPolicy",
    "grant AddUserToGroup",
    "grant AttachUserPolicy",
    "revoke RemoveUserFromGroup",
    "revoke DetachUserPolicy",
    "revoke DeleteUserPolicy",
    "revoke UpdateAssumeRolePolicy",
    "revoke DeleteLoginProfile",
    "revoke DeleteAccessKey",
    "revoke DeleteServiceSpecificCredential",
    "revoke DeleteSSHPublicKey",
    "revoke DeleteSigningCertificate",
    "revoke DeactivateMFADevice",
    "issue PutUserPolicy",
    "issue CreateAccessKey",
    "try ListAccountAliases",
    "get GetAccessKeyLastUsed",
];

/// A line for `purpose` that signs with an access key, at the time of `clock`.
pub fn line(
    transport: Arc<dyn Transport>,
    endpoint: &str,
    (id, secret): (&str, &str),
    purpose: Purpose,
    clock: Arc<Hands>,
) -> Line {
    line_with(transport, (endpoint, &json!({})), (id, secret), purpose, clock)
}

/// The same with settings of the way there.
pub fn line_with(
    transport: Arc<dyn Transport>,
    (endpoint, settings): (&str, &Value),
    (id, secret): (&str, &str),
    purpose: Purpose,
    clock: Arc<Hands>,
) -> Line {
    let writes = WRITES.iter().filter(|_| purpose == Purpose::Write);
    let rules = READS.iter().chain(writes).map(|rule| rule.replacen(' ', " CALL ", 1));
    let integration: Integration = serde_json::from_value(json!({
        "name": "aws", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "aws-iam",
        "endpoint": endpoint, "role": "target", "system": "aws", "settings": settings,
        "scope": {"rules": rules.collect::<Vec<_>>()}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let chance = Seeded::new(1);
    let key = Arc::new(SealKey::generate(&chance));
    let tenant = Tenant::single();
    let context = SealContext::of(&tenant, &integration, purpose).unwrap();
    let scheme = CredentialScheme::AccessKey { id: id.into() };
    let sealed = key.seal(&context, &Credential { scheme, secret: Secret::new(secret) }, &chance);
    let broker = Broker::new(tenant, transport, clock, key);
    broker.line(&integration, purpose, Some(&sealed))
}
