//! An IAM in this process: pages as AWS does, checks signatures, clocks and policies, and refuses to delete
//! what holds something. Names are taken as they are, where AWS allows ASCII only.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use bailiwick_connector::{
    broker::{Transport, TransportError},
    testkit::Hands,
};
use bailiwick_core::time::{Clock, SignedDuration, Timestamp};
use bytes::Bytes;
use serde_json::{Value, json};

use super::aws_subject::System;

/// A shared IAM.
#[derive(Clone, Default)]
pub struct Fake(pub Arc<Mutex<State>>);

/// Everything in it.
#[derive(Default)]
pub struct State {
    pub users: Vec<User>,
    groups: Vec<Group>,
    roles: Vec<(String, String)>,
    policies: BTreeMap<String, String>,
    devices: BTreeSet<String>,
    serial: u64,
    /// The actions that were taken, refused ones too.
    pub log: Vec<String>,
    /// The next action of this name fails with this code and status.
    pub fault: Option<(&'static str, u16, &'static str)>,
}

#[derive(Default)]
pub struct User {
    id: String,
    pub name: String,
    path: String,
    pub tags: BTreeMap<String, String>,
    pub inline: BTreeMap<String, String>,
    attached: BTreeSet<String>,
    pub password: bool,
    mfa: BTreeSet<String>,
    /// Kind, id, secret, active.
    pub keys: Vec<(&'static str, String, String, bool)>,
}

struct Group {
    id: String,
    name: String,
    members: BTreeSet<String>,
}

/// The kinds of keys: the part of the action's name, the list, the id, what one is called by itself.
const KEYS: [(&str, &str, &str, &str, &str); 4] = [
    ("AccessKey", "AccessKeyMetadata", "AccessKeyId", "AccessKey", "AKIA"),
    ("SSHPublicKey", "SSHPublicKeys", "SSHPublicKeyId", "SSHPublicKey", "APKA"),
    ("SigningCertificate", "Certificates", "CertificateId", "Certificate", "CERT"),
    (
        "ServiceSpecificCredential",
        "ServiceSpecificCredentials",
        "ServiceSpecificCredentialId",
        "ServiceSpecificCredential",
        "ACCA",
    ),
];

type Form = BTreeMap<String, String>;
type Refusal = (u16, &'static str, String);

fn refuse<T>(status: u16, code: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err((status, code, message.into()))
}

fn gone(what: &str) -> Refusal {
    (404, "NoSuchEntity", format!("there is no {what}"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// As AWS writes policies.
fn encoded(policy: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    policy.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decoded(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap()
            }
            plain => plain,
        });
    }
    String::from_utf8(out).unwrap()
}

fn parsed(body: &[u8]) -> Form {
    let text = std::str::from_utf8(body).unwrap();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (decoded(n), decoded(v))).collect()
}

impl State {
    fn id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{:016}", self.serial)
    }

    fn user(&mut self, form: &Form) -> Result<&mut User, Refusal> {
        let name = &form["UserName"];
        self.users.iter_mut().find(|user| user.name == *name).ok_or_else(|| gone(&format!("user {name}")))
    }

    fn group(&mut self, form: &Form) -> Result<&mut Group, Refusal> {
        let name = &form["GroupName"];
        self.groups.iter_mut().find(|group| group.name == *name).ok_or_else(|| gone(&format!("group {name}")))
    }

    fn take(&mut self, action: &str, form: &Form) -> Result<String, Refusal> {
        if let Some((kind, verb)) = ["Create", "Upload", "List", "Update", "Delete"].iter().find_map(|verb| {
            let rest = action.strip_prefix(verb)?;
            KEYS.iter().find(|key| rest.strip_suffix('s').unwrap_or(rest) == key.0).map(|key| (key, *verb))
        }) {
            return self.keys(kind, verb, form);
        }
        match action {
            "CreateUser"
            | "UpdateUser"
            | "GetUser"
            | "ListUsers"
            | "DeleteUser"
            | "TagUser"
            | "UntagUser"
            | "GetAccountAuthorizationDetails" => self.people(action, form),
            "CreateGroup"
            | "ListGroups"
            | "GetGroup"
            | "AddUserToGroup"
            | "RemoveUserFromGroup"
            | "ListGroupsForUser" => self.groups(action, form),
            _ => self.policies(action, form),
        }
    }

    fn people(&mut self, action: &str, form: &Form) -> Result<String, Refusal> {
        let tags = || {
            let value = |n: &u32| {
                form.get(&format!("Tags.member.{n}.Key")).zip(form.get(&format!("Tags.member.{n}.Value")))
            };
            (1..)
                .take_while(move |n| value(n).is_some())
                .filter_map(move |n| value(&n))
                .map(|(k, v)| (k.clone(), v.clone()))
        };
        let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        if let Some((key, _)) = tags().find(|(key, value)| !(key.clone() + value).chars().all(allowed)) {
            return refuse(
                400,
                "ValidationError",
                format!("the value of the tag {key} has to match a pattern"),
            );
        }
        match action {
            "CreateUser" => {
                let name = form["UserName"].clone();
                if self.users.iter().any(|user| user.name.to_lowercase() == name.to_lowercase()) {
                    return refuse(
                        409,
                        "EntityAlreadyExists",
                        format!("User with name {name} already exists."),
                    );
                }
                let path = form.get("Path").cloned().unwrap_or_else(|| "/".into());
                let user =
                    User { id: self.id("AIDA"), name, path, tags: tags().collect(), ..User::default() };
                let xml = format!("<User>{}</User>", user.xml());
                self.users.push(user);
                Ok(xml)
            }
            "UpdateUser" => {
                if form.get("NewUserName").is_some_and(|new| self.users.iter().any(|user| user.name == *new))
                {
                    return refuse(409, "EntityAlreadyExists", "the name is taken");
                }
                let user = self.user(form)?;
                user.path = form.get("NewPath").unwrap_or(&user.path).clone();
                user.name = form.get("NewUserName").unwrap_or(&user.name).clone();
                Ok(String::new())
            }
            "GetUser" => Ok(format!("<User>{}</User>", self.user(form)?.xml())),
            "ListUsers" => {
                let plain = |user: &User| tag("UserId", &user.id) + &tag("UserName", &user.name);
                Ok(page("Users", self.users.iter().map(plain).collect(), form))
            }
            "GetAccountAuthorizationDetails" => {
                Ok(page("UserDetailList", self.users.iter().map(User::detail).collect(), form))
            }
            "DeleteUser" => {
                let user = self.user(form)?;
                let id = user.id.clone();
                let holds = !user.inline.is_empty()
                    || !user.attached.is_empty()
                    || !user.keys.is_empty()
                    || !user.mfa.is_empty()
                    || user.password;
                if holds || self.groups.iter().any(|group| group.members.contains(&id)) {
                    return refuse(
                        409,
                        "DeleteConflict",
                        "Cannot delete entity, must remove its subordinates first.",
                    );
                }
                self.users.retain(|user| user.id != id);
                Ok(String::new())
            }
            "TagUser" => {
                self.user(form)?.tags.extend(tags());
                Ok(String::new())
            }
            _ => {
                self.user(form)?.tags.remove(&form["TagKeys.member.1"]);
                Ok(String::new())
            }
        }
    }

    fn groups(&mut self, action: &str, form: &Form) -> Result<String, Refusal> {
        match action {
            "CreateGroup" => {
                let group =
                    Group { id: self.id("AGPA"), name: form["GroupName"].clone(), members: BTreeSet::new() };
                let xml = format!("<Group>{}</Group>", group.xml());
                self.groups.push(group);
                Ok(xml)
            }
            "ListGroups" => Ok(page("Groups", self.groups.iter().map(Group::xml).collect(), form)),
            "ListGroupsForUser" => {
                let id = self.user(form)?.id.clone();
                let own = self.groups.iter().filter(|group| group.members.contains(&id));
                Ok(page("Groups", own.map(Group::xml).collect(), form))
            }
            "GetGroup" => {
                let group = self.group(form)?;
                let (xml, members) = (group.xml(), group.members.clone());
                let member = |id: &String| tag("UserId", id) + &tag("UserName", "x");
                Ok(format!(
                    "<Group>{xml}</Group>{}",
                    page("Users", members.iter().map(member).collect(), form)
                ))
            }
            _ => {
                let id = self.user(form)?.id.clone();
                let members = &mut self.group(form)?.members;
                if action == "AddUserToGroup" {
                    members.insert(id);
                } else if !members.remove(&id) {
                    return Err(gone("such member"));
                }
                Ok(String::new())
            }
        }
    }

    fn policies(&mut self, action: &str, form: &Form) -> Result<String, Refusal> {
        let policy = form.get("PolicyName").cloned().unwrap_or_default();
        let arn = form.get("PolicyArn").cloned().unwrap_or_default();
        match action {
            "CreatePolicy" => {
                let arn = format!("arn:aws:iam::123456789012:policy/{policy}");
                self.policies.insert(arn.clone(), form["PolicyDocument"].clone());
                Ok(tag("Arn", &arn))
            }
            "AttachUserPolicy" if !self.policies.contains_key(&arn) => Err(gone("such policy")),
            "AttachUserPolicy" => {
                self.user(form)?.attached.insert(arn);
                Ok(String::new())
            }
            "DetachUserPolicy" => {
                let had = self.user(form)?.attached.remove(&arn);
                if had { Ok(String::new()) } else { Err(gone("such policy")) }
            }
            "ListAttachedUserPolicies" => {
                let one = |arn: &String| {
                    tag("PolicyName", arn.rsplit('/').next().unwrap_or_default()) + &tag("PolicyArn", arn)
                };
                Ok(page("AttachedPolicies", self.user(form)?.attached.iter().map(one).collect(), form))
            }
            "PutUserPolicy" => {
                self.user(form)?.inline.insert(policy, form["PolicyDocument"].clone());
                Ok(String::new())
            }
            "GetUserPolicy" => {
                let document = self.user(form)?.inline.get(&policy).ok_or_else(|| gone("such policy"))?;
                Ok(tag("PolicyName", &policy) + &tag("PolicyDocument", &encoded(document)))
            }
            "DeleteUserPolicy" => self
                .user(form)?
                .inline
                .remove(&policy)
                .map(|_| String::new())
                .ok_or_else(|| gone("such policy")),
            "ListUserPolicies" => {
                let names = self.user(form)?.inline.keys().map(|name| escape(name)).collect();
                Ok(page("PolicyNames", names, form))
            }
            "CreateRole" => {
                self.roles.push((form["RoleName"].clone(), form["AssumeRolePolicyDocument"].clone()));
                Ok(String::new())
            }
            "UpdateAssumeRolePolicy" => {
                let role = self.roles.iter_mut().find(|role| role.0 == form["RoleName"]);
                role.ok_or_else(|| gone("such role"))?.1 = form["PolicyDocument"].clone();
                Ok(String::new())
            }
            "ListRoles" => {
                let one = |(name, trust): &(String, String)| {
                    let arn = format!("arn:aws:iam::123456789012:role/{name}");
                    tag("Arn", &arn)
                        + &tag("RoleName", name)
                        + &tag("AssumeRolePolicyDocument", &encoded(trust))
                };
                Ok(page("Roles", self.roles.iter().map(one).collect(), form))
            }
            "CreateLoginProfile" => {
                self.user(form)?.password = true;
                Ok(String::new())
            }
            "GetLoginProfile" | "DeleteLoginProfile" => {
                let user = self.user(form)?;
                if !user.password {
                    return Err(gone("login profile"));
                }
                user.password = action == "GetLoginProfile";
                Ok(tag("LoginProfile", ""))
            }
            "CreateVirtualMFADevice" => {
                let serial = format!("arn:aws:iam::123456789012:mfa/{}", form["VirtualMFADeviceName"]);
                self.devices.insert(serial.clone());
                Ok(tag("SerialNumber", &serial))
            }
            "EnableMFADevice" | "DeactivateMFADevice" => {
                let serial = form["SerialNumber"].clone();
                let mfa = &mut self.user(form)?.mfa;
                let did = if action == "EnableMFADevice" { mfa.insert(serial) } else { mfa.remove(&serial) };
                if did { Ok(String::new()) } else { Err(gone("such device")) }
            }
            "ListMFADevices" => {
                let one = |serial: &String| tag("SerialNumber", serial);
                Ok(page("MFADevices", self.user(form)?.mfa.iter().map(one).collect(), form))
            }
            "ListAccountAliases" => Ok("<AccountAliases/>".into()),
            "GetAccessKeyLastUsed" => {
                let holds = |user: &&User| user.keys.iter().any(|key| key.1 == form["AccessKeyId"]);
                let user = self.users.iter().find(holds).ok_or_else(|| gone("such key"))?;
                Ok(tag("UserName", &user.name))
            }
            other => refuse(400, "InvalidAction", format!("Could not find operation {other}")),
        }
    }

    fn keys(
        &mut self,
        (kind, list, id_name, one, prefix): &(&'static str, &str, &str, &str, &str),
        verb: &str,
        form: &Form,
    ) -> Result<String, Refusal> {
        let new = self.id(prefix);
        let user = self.user(form)?;
        let status = |active: bool| if active { "Active" } else { "Inactive" };
        match verb {
            "Create" | "Upload" => {
                if user.keys.iter().filter(|key| key.0 == *kind).count() >= 2 {
                    return refuse(
                        409,
                        "LimitExceeded",
                        format!("Cannot exceed quota for {kind}sPerUser: 2"),
                    );
                }
                let secret = format!("secret-of-{new}");
                let xml = tag(id_name, &new) + &tag("SecretAccessKey", &secret);
                user.keys.push((kind, new, secret, true));
                Ok(format!("<{one}>{xml}</{one}>"))
            }
            "List" => {
                let own = user.keys.iter().filter(|key| key.0 == *kind);
                let xml = |key: &(&str, String, String, bool)| {
                    tag(id_name, &key.1) + &tag("ServiceName", "codecommit") + &tag("Status", status(key.3))
                };
                Ok(page(list, own.map(xml).collect(), form))
            }
            _ => {
                let at = user.keys.iter().position(|key| key.0 == *kind && key.1 == form[*id_name]);
                let at = at.ok_or_else(|| gone("such key"))?;
                match verb {
                    "Update" => user.keys[at].3 = form["Status"] == "Active",
                    _ => drop(user.keys.remove(at)),
                }
                Ok(String::new())
            }
        }
    }

    /// Who signed, if the signature, the clock and the policies are right.
    fn authorize(&self, request: &http::Request<Bytes>, action: &str, now: Timestamp) -> Result<(), Refusal> {
        let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
        let shown = header("authorization");
        let part = |name: &str| {
            shown.split_once(name).and_then(|(_, rest)| rest.split([',', ' ']).next()).unwrap_or_default()
        };
        let (id, scope) = part("Credential=").split_once('/').unwrap_or_default();
        let mut keys = self.users.iter().flat_map(|user| user.keys.iter().map(move |key| (user, key)));
        let Some((user, key)) = keys.find(|(_, key)| key.0 == "AccessKey" && key.1 == id && key.3) else {
            return refuse(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            );
        };
        let date = header("x-amz-date");
        let at = format!("{}T{}Z", &date[..8], &date[9..15]).parse::<Timestamp>().unwrap();
        if now.duration_since(at) > SignedDuration::from_mins(15) {
            return refuse(
                403,
                "SignatureDoesNotMatch",
                format!("Signature expired: {date} is now earlier than {now}"),
            );
        }
        let lines: String =
            part("SignedHeaders=").split(';').map(|name| format!("{name}:{}\n", header(name))).collect();
        let hash = |bytes: &[u8]| hex(digest::digest(&digest::SHA256, bytes).as_ref());
        let canonical = format!("POST\n/\n\n{lines}\n{}\n{}", part("SignedHeaders="), hash(request.body()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
        let start = format!("AWS4{}", key.2).into_bytes();
        let signature = scope.split('/').chain([to_sign.as_str()]).fold(start, |key, step| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes()).as_ref().to_vec()
        });
        if hex(&signature) != part("Signature=")
            || scope != format!("{}/us-east-1/iam/aws4_request", &date[..8])
        {
            return refuse(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match.",
            );
        }
        let attached = user.attached.iter().filter_map(|arn| self.policies.get(arn));
        let statements: Vec<Value> = attached
            .chain(user.inline.values())
            .flat_map(|text| {
                serde_json::from_str::<Value>(text).unwrap()["Statement"].as_array().unwrap().clone()
            })
            .collect();
        let about = |s: &&Value| s["Action"] == "*" || s["Action"] == json!(format!("iam:{action}"));
        let effect = |wanted: &str| statements.iter().filter(about).any(|s| s["Effect"] == wanted);
        if effect("Deny") || !effect("Allow") {
            return refuse(
                403,
                "AccessDenied",
                format!("User {} is not authorized to perform: iam:{action}", user.name),
            );
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl User {
    fn xml(&self) -> String {
        let tags: String = self
            .tags
            .iter()
            .map(|(key, value)| format!("<member>{}{}</member>", tag("Key", key), tag("Value", value)))
            .collect();
        let arn = format!("arn:aws:iam::123456789012:user{}{}", self.path, self.name);
        let own = [("UserId", &self.id), ("UserName", &self.name), ("Path", &self.path), ("Arn", &arn)];
        own.map(|(name, text)| tag(name, text)).concat() + &format!("<Tags>{tags}</Tags>")
    }

    fn detail(&self) -> String {
        let inline: String = self
            .inline
            .iter()
            .map(|(name, text)| {
                format!(
                    "<member>{}{}</member>",
                    tag("PolicyName", name),
                    tag("PolicyDocument", &encoded(text))
                )
            })
            .collect();
        format!("{}<UserPolicyList>{inline}</UserPolicyList>", self.xml())
    }
}

impl Group {
    fn xml(&self) -> String {
        tag("GroupId", &self.id) + &tag("GroupName", &self.name)
    }
}

/// One page of a list, as `MaxItems` and `Marker` ask for it.
fn page(list: &str, members: Vec<String>, form: &Form) -> String {
    let from = form.get("Marker").map_or(0, |marker| marker.parse::<usize>().unwrap());
    let most = form.get("MaxItems").map_or(100, |most| most.parse::<usize>().unwrap()).min(1_000);
    let shown: String =
        members.iter().skip(from).take(most).map(|m| format!("<member>{m}</member>")).collect();
    let end = match from + most < members.len() {
        true => format!("<IsTruncated>true</IsTruncated><Marker>{}</Marker>", from + most),
        false => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!("<{list}>{shown}</{list}>{end}")
}

fn answer(action: &str, taken: Result<String, Refusal>) -> (u16, String) {
    match taken {
        Ok(result) => (
            200,
            format!(
                "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{result}\
                 </{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
            ),
        ),
        Err((status, code, message)) => (
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type>{}{}</Error><RequestId>r</RequestId></ErrorResponse>",
                tag("Code", code),
                tag("Message", &message)
            ),
        ),
    }
}

#[async_trait]
impl Transport for Fake {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let form = parsed(request.body());
        let action = form["Action"].clone();
        let mut state = self.0.lock().unwrap();
        state.log.push(action.clone());
        let fault = state.fault.take_if(|fault| fault.0 == action);
        let taken = match fault {
            Some((_, status, code)) => refuse(status, code, "on purpose"),
            None => state
                .authorize(&request, &action, Hands::default().now())
                .and_then(|()| state.take(&action, &form)),
        };
        let (status, body) = answer(&action, taken);
        Ok(http::Response::builder().status(status).body(body.into()).unwrap())
    }
}

#[async_trait]
impl System for Fake {
    fn name(&self) -> &'static str {
        "aws-iam × fake"
    }

    fn endpoint(&self) -> String {
        "https://iam.amazonaws.com".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    fn settings(&self) -> Value {
        json!({"read_lag_ms": 0})
    }

    async fn asked(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let form: Form = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let (status, body) = answer(action, self.0.lock().unwrap().take(action, &form));
        if status == 200 { Ok(body) } else { Err(body) }
    }

    async fn reset(&self) {
        *self.0.lock().unwrap() = State::default();
    }
}
