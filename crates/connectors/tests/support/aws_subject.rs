//! An IAM under test, whoever plays it: seeded and looked into by raw actions, past the connector.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, Line,
    broker::{Transport, TransportError},
    testkit::{Fixtures, Hands, Ids, Losing, Subject, TrueAccount},
};
use bailiwick_connectors::aws_iam::AwsIam;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose};
use bytes::Bytes;
use serde_json::{Value, json};

/// Who plays the IAM.
#[async_trait]
pub trait System: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// Where it is.
    fn endpoint(&self) -> String;
    /// How it is reached.
    fn transport(&self) -> Arc<dyn Transport>;
    /// What the connector is told of it.
    fn settings(&self) -> Value;
    /// Takes an action with all rights and nobody's signature; gives the XML, or what is said when it is refused.
    async fn asked(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, String>;
    /// The same where it must not be refused.
    async fn raw(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let done = self.asked(action, parameters).await;
        done.unwrap_or_else(|said| panic!("{action} {parameters:?}: {said}"))
    }
    /// Forgets everything.
    async fn reset(&self);
}

/// A managed policy that nobody has after seeding.
pub const GRANTABLE: &str = "arn:aws:iam::123456789012:policy/grantable";
pub const DENY_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"BailiwickDisabled","Effect":"Deny","Action":"*","Resource":"*"}]}"#;
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const CERTIFICATE: &str = include_str!("aws_certificate.pem");

/// An IAM with a connector to it.
pub struct Iam<S> {
    pub system: S,
    pub connector: Arc<AwsIam>,
    pub losing: Arc<Losing>,
    hiding: Arc<Cutting>,
    /// The access key of the hub, after seeding.
    key: Mutex<(String, String)>,
}

/// Carries requests over another transport and, when asked to, says at the end of every list that there is
/// more, and not where.
struct Cutting {
    inner: Arc<dyn Transport>,
    cuts: AtomicBool,
}

#[async_trait]
impl Transport for Cutting {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut response = self.inner.send(request).await?;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        if self.cuts.load(Ordering::SeqCst) && text.contains("Result>") && !text.contains("<IsTruncated>true")
        {
            let text = text.replace("<IsTruncated>false</IsTruncated>", "");
            let result = text.find("Result><ResponseMetadata>").unwrap();
            let at = text[..result].rfind("</").unwrap();
            let cut = format!("{}<IsTruncated>true</IsTruncated>{}", &text[..at], &text[at..]);
            *response.body_mut() = cut.into();
        }
        Ok(response)
    }
}

/// Whether a request changes something, by its action.
fn writes(request: &http::Request<Bytes>) -> bool {
    let body = String::from_utf8_lossy(request.body());
    !body.starts_with("Action=List") && !body.starts_with("Action=Get")
}

/// The text of the first element of this name.
pub fn text(xml: &str, element: &str) -> String {
    let from = xml.split_once(&format!("<{element}>")).unwrap_or_else(|| panic!("no {element} in {xml}")).1;
    from.split_once("</").unwrap().0.to_owned()
}

/// The elements of this name in an answer, each as the texts in it by element.
fn parts(xml: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let named = document.descendants().filter(|node| node.tag_name().name() == name);
    let text = |node: roxmltree::Node<'_, '_>| {
        let name = node.tag_name().name().to_owned();
        node.is_element().then(|| (name, node.text().unwrap_or_default().to_owned()))
    };
    named.map(|node| node.descendants().filter_map(text).collect()).collect()
}

/// A policy, as it is or percent-encoded.
fn document(text: &str) -> Value {
    let mut pieces = text.split('%');
    let mut plain = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces.filter(|_| !text.starts_with('{')) {
        plain.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        plain.extend(piece[2..].bytes());
    }
    serde_json::from_slice(if text.starts_with('{') { text.as_bytes() } else { &plain }).unwrap()
}

impl<S: System> Iam<S> {
    /// Points a connector at it.
    pub fn new(system: S) -> Self {
        let losing = Arc::new(Losing::of(system.transport(), writes));
        Self {
            connector: Arc::new(AwsIam::new(&system.settings()).unwrap()),
            hiding: Arc::new(Cutting { inner: losing.clone(), cuts: AtomicBool::new(false) }),
            losing,
            system,
            key: Mutex::default(),
        }
    }

    /// A line with the hub's key.
    pub fn line_for(&self, purpose: Purpose) -> Line {
        let key = self.key.lock().unwrap().clone();
        self.line_with((&key.0, &key.1), purpose, Arc::new(Hands::default()))
    }

    /// A line with another key, or at another time.
    pub fn line_with(&self, key: (&str, &str), purpose: Purpose, clock: Arc<Hands>) -> Line {
        super::aws_line::line(self.hiding.clone(), &self.system.endpoint(), key, purpose, clock)
    }

    /// The hub's key.
    pub fn key(&self) -> (String, String) {
        self.key.lock().unwrap().clone()
    }

    /// Whether a policy of the user's own denies everything, and the names of the others and of the roles that trust the
    /// user.
    async fn policies(&self, user: &str, arn: &str) -> (bool, Vec<String>) {
        let named = ("UserName", user);
        let (mut denied, mut others) = (false, Vec::new());
        for policy in parts(&self.system.raw("ListUserPolicies", &[named]).await, "member") {
            let name = &policy["member"];
            let read = self.system.raw("GetUserPolicy", &[named, ("PolicyName", name)]).await;
            let says = document(&parts(&read, "GetUserPolicyResult")[0]["PolicyDocument"]);
            let is = |key: &str, value: &str| says["Statement"][0][key] == value;
            match is("Effect", "Deny") && is("Action", "*") && is("Resource", "*") {
                true => denied = true,
                false => others.push(name.clone()),
            }
        }
        for role in parts(&self.system.raw("ListRoles", &[]).await, "member") {
            let trust = document(&role["AssumeRolePolicyDocument"]).to_string();
            others.extend(trust.contains(&format!("\"{arn}\"")).then(|| role["RoleName"].clone()));
        }
        (denied, others)
    }

    /// One of each kind for a user.
    async fn give_everything(&self, user: &str) {
        let named = ("UserName", user);
        let raw = async |action: &str, more: &[(&str, &str)]| {
            self.system.raw(action, &[&[named], more].concat()).await
        };
        raw("CreateAccessKey", &[]).await;
        raw("CreateLoginProfile", &[("Password", "Correct-horse-7")]).await;
        raw("UploadSSHPublicKey", &[("SSHPublicKeyBody", "ssh-rsa AAAAB3NzaC1yc2E kit")]).await;
        raw("UploadSigningCertificate", &[("CertificateBody", CERTIFICATE)]).await;
        if self.system.settings()["service_credentials"] != false {
            raw("CreateServiceSpecificCredential", &[("ServiceName", "codecommit.amazonaws.com")]).await;
        }
        let device = self.system.raw("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "phone")]).await;
        let serial = text(&device, "SerialNumber");
        let codes = [("AuthenticationCode1", "123456"), ("AuthenticationCode2", "654321")];
        raw("EnableMFADevice", &[&[("SerialNumber", serial.as_str())], &codes[..]].concat()).await;
        for name in ["attached", "grantable"] {
            let policy = [("PolicyName", name), ("PolicyDocument", EVERYTHING)];
            self.system.raw("CreatePolicy", &policy).await;
        }
        raw("AttachUserPolicy", &[("PolicyArn", "arn:aws:iam::123456789012:policy/attached")]).await;
        raw("PutUserPolicy", &[("PolicyName", "own"), ("PolicyDocument", EVERYTHING)]).await;
        let arn = text(&raw("GetUser", &[]).await, "Arn");
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": [arn]}, "Action": "sts:AssumeRole"},
        ]});
        let role = [("RoleName", "operator"), ("AssumeRolePolicyDocument", &trust.to_string())];
        self.system.raw("CreateRole", &role).await;
    }
}

#[async_trait]
impl<S: System> Subject for Iam<S> {
    fn name(&self) -> String {
        self.system.name().to_owned()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn line(&self) -> Line {
        self.line_for(Purpose::Write)
    }

    fn reader(&self) -> Line {
        self.line_for(Purpose::Verify)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.system.reset().await;
        self.hiding.cuts.store(false, Ordering::SeqCst);
        let mut ids = Ids::default();
        for account in &fixtures.accounts {
            let mut user = vec![("UserName", account.name.as_str())];
            if let Some(marker) = &account.marker {
                user.extend([("Tags.member.1.Key", "bailiwick:marker"), ("Tags.member.1.Value", marker)]);
            }
            ids.accounts.push(text(&self.system.raw("CreateUser", &user).await, "UserId"));
            if !account.live {
                let deny = [("PolicyName", "BailiwickDenyAll"), ("PolicyDocument", DENY_ALL)];
                self.system
                    .raw("PutUserPolicy", &[&[("UserName", account.name.as_str())], &deny[..]].concat())
                    .await;
            }
        }
        for group in &fixtures.groups {
            let made = self.system.raw("CreateGroup", &[("GroupName", &group.name)]).await;
            ids.groups.push(text(&made, "GroupId"));
            for member in &group.members {
                let pair =
                    [("GroupName", group.name.as_str()), ("UserName", &fixtures.accounts[*member].name)];
                self.system.raw("AddUserToGroup", &pair).await;
            }
        }
        self.give_everything(&fixtures.accounts[0].name).await;
        // The hub is one of the users, as it is in life.
        let hub = ("UserName", fixtures.accounts.last().unwrap().name.as_str());
        let policy = [hub, ("PolicyName", "hub"), ("PolicyDocument", EVERYTHING)];
        self.system.raw("PutUserPolicy", &policy).await;
        let made = self.system.raw("CreateAccessKey", &[hub]).await;
        *self.key.lock().unwrap() = (text(&made, "AccessKeyId"), text(&made, "SecretAccessKey"));
        ids
    }

    async fn truth(&self) -> String {
        let mut all = Vec::new();
        let details = self.system.raw("GetAccountAuthorizationDetails", &[("Filter.member.1", "User")]).await;
        let mut names: Vec<String> = details
            .split("<UserName>")
            .skip(1)
            .map(|rest| rest.split("</").next().unwrap().to_owned())
            .collect();
        names.sort();
        all.push(details);
        for filter in ["Group", "Role"] {
            all.push(self.system.raw("GetAccountAuthorizationDetails", &[("Filter.member.1", filter)]).await);
        }
        for name in names {
            let name = name.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
            let lists = [
                "ListGroupsForUser",
                "ListAccessKeys",
                "ListSSHPublicKeys",
                "ListSigningCertificates",
                "ListMFADevices",
            ];
            for list in lists {
                all.push(self.system.raw(list, &[("UserName", &name)]).await);
            }
        }
        let report = |xml: String| {
            let (before, after) = xml.split_once("<RequestId>").unwrap();
            format!("{before}{}", after.split_once("</RequestId>").unwrap().1)
        };
        all.into_iter().map(report).collect::<Vec<_>>().join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let users = parts(&self.system.raw("ListUsers", &[]).await, "member");
        let name = users.iter().find(|user| user.get("UserId").is_some_and(|known| known == id))?["UserName"]
            .clone();
        let raw = async |action: &str| self.system.raw(action, &[("UserName", name.as_str())]).await;
        let user = raw("GetUser").await;
        let (arn, tags) = (text(&user, "Arn"), parts(&user, "member"));
        let tag = |key: &str| tags.iter().find(|tag| tag["Key"] == key).map(|tag| tag["Value"].clone());
        let mut held: BTreeMap<AccessClass, Vec<String>> = BTreeMap::new();
        let kinds = [
            (AccessClass::DirectGroups, "ListGroupsForUser", "GroupId"),
            (AccessClass::Roles, "ListAttachedUserPolicies", "PolicyArn"),
            (AccessClass::CloudKeys, "ListAccessKeys", "AccessKeyId"),
            (AccessClass::SshKeys, "ListSSHPublicKeys", "SSHPublicKeyId"),
            (AccessClass::SshKeys, "ListSigningCertificates", "CertificateId"),
            (AccessClass::DeviceTrust, "ListMFADevices", "SerialNumber"),
            (AccessClass::ApiTokens, "ListServiceSpecificCredentials", "ServiceSpecificCredentialId"),
        ];
        let most = if self.system.settings()["service_credentials"] == false { 6 } else { 7 };
        for (class, list, element) in &kinds[..most] {
            let mut listed = parts(&raw(list).await, "member");
            listed.retain(|one| one.get("Status").is_none_or(|status| status == "Active"));
            held.entry(*class).or_default().extend(listed.iter().map(|one| one[*element].clone()));
        }
        let (denied, roles) = self.policies(&name, &arn).await;
        held.entry(AccessClass::Roles).or_default().extend(roles);
        let password = self.system.asked("GetLoginProfile", &[("UserName", &name)]).await;
        held.entry(AccessClass::CloudKeys).or_default().extend(password.map(|_| "password".to_owned()));
        let one = |name: &str| (name.to_owned(), tag(name).into_iter().collect());
        let mut attributes: BTreeMap<_, _> = ["email", "title", "displayName"].map(one).into();
        attributes.insert("userName".to_owned(), vec![name.clone()]);
        // IAM refuses everything to whom a policy denies everything, whatever keys there are. Who never had one is let
        // in nowhere either; that they are to have none is what the tag says.
        let off = tag("bailiwick:disabled").is_some() && held[&AccessClass::CloudKeys].is_empty();
        Some(TrueAccount { name, marker: tag("bailiwick:marker"), usable: !denied && !off, attributes, held })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("userName".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        let value = |what: &str| format!("{what} {n} Ä").as_str().into();
        [("title".to_owned(), value("title")), ("displayName".to_owned(), value("name"))].into()
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        match class {
            AccessClass::DirectGroups => Some(ids.groups[0].clone()),
            AccessClass::Roles => Some(GRANTABLE.to_owned()),
            _ => None,
        }
    }

    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }

    fn hide_part(&self) -> bool {
        self.hiding.cuts.store(true, Ordering::SeqCst);
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }

    fn secret(&self) -> Option<String> {
        Some(self.key().1)
    }
}
