//! Making one change. No write is tried again: another form follows only a refusal, which says that the first
//! had no effect.
//!
//! What is written to is looked up by its id first. To a server that can do it, every write says which entry it
//! is meant for (RFC 4528), so that another one that got the name meanwhile is not touched; with a
//! precondition, also in which version.

use bailiwick_connector::{
    Applied, ConnectorError, Effect, ErrorKind, Issued, Outcome, Result,
    broker::ldap::{Answered, Change, Control, Edit, Entry, Filter, PasswordForm, Write},
    seal::{Credential, CredentialScheme, Secret},
};
use bailiwick_core::{
    access::AccessClass,
    account::AccountAttributes,
    digest::Digest,
    dn::{Dn, Rdn},
    plan::Op,
    scope::Operation,
};

use super::{
    ask::{refusal, unwritten},
    decode::{CONTROL, id_of},
    encode::{self, invalid},
    groups::Group,
    read::{Found, Reader, id_filter},
    settings::{Dialect, Way},
};

/// A failure that the server has no code for.
const OTHER: u32 = 80;

/// Makes one change.
pub(super) async fn apply(
    reader: &Reader<'_>,
    account: Option<&str>,
    op: &Op,
    precondition: Option<&str>,
) -> Result<Applied> {
    let mut change = Making { reader, precondition, done: Vec::new() };
    let made = match (op, account) {
        (Op::CreateAccount { marker, attributes }, _) => change.create(marker, attributes).await,
        (_, None) => Err(invalid(format!("to {}, an account is needed", op.words()))),
        (Op::SetAttributes { attributes }, Some(account)) => change.set(account, attributes).await,
        (Op::Enable, Some(account)) => {
            change.turn(account, |found| encode::enable(reader.shape(), &found.signs)).await
        }
        (Op::Disable { way }, Some(account)) => match reader.now.way(*way) {
            Some(way) => change.disable(account, way).await,
            None => Err(super::unsupported(&format!("way {way} of disabling"))),
        },
        (Op::Delete, Some(account)) => change.delete(account).await,
        (Op::Grant { class: AccessClass::DirectGroups, external_id }, Some(account)) => {
            change.member(account, external_id, true).await
        }
        (Op::Revoke { class: AccessClass::DirectGroups, external_id }, Some(account)) => {
            change.member(account, external_id, false).await
        }
        (Op::RevokeAll { class: AccessClass::DirectGroups }, Some(account)) => {
            change.leave_all(account).await
        }
        (Op::Grant { .. } | Op::Revoke { .. } | Op::RevokeAll { .. }, Some(_)) => {
            Err(super::unsupported(&op.words()))
        }
    };
    // Once something was done, a later refusal does not undo it.
    made.map_err(|error| match change.done.is_empty() {
        true => error,
        false => ConnectorError { effect: Effect::Unknown, ..error },
    })
}

/// Gives a canary a password in place of the one it has.
pub(super) async fn issue(
    reader: &Reader<'_>,
    account: &str,
    class: AccessClass,
    secret: Secret,
) -> Result<Issued> {
    if class != AccessClass::PrimaryAccount {
        return Err(super::unsupported(&format!("issuing {class}")));
    }
    let form = match reader.shape().dialect {
        Dialect::ActiveDirectory => PasswordForm::Unicode,
        Dialect::OpenLdap if reader.now.known.supported.passwords => PasswordForm::Extended,
        Dialect::OpenLdap => {
            return Err(super::unsupported("setting passwords where the server has no operation for it"));
        }
    };
    let found = reader.find(account).await?.ok_or_else(|| missing(account))?;
    let answered = reader.line.set_password(&found.dn, &secret, form).await?;
    if answered.code != 0 {
        return Err(unwritten(&answered, "set a password"));
    }
    let scheme = CredentialScheme::Basic { user: found.dn.to_string() };
    Ok(Issued { class, external_id: None, credential: Credential { scheme, secret } })
}

/// A change under way.
struct Making<'a> {
    reader: &'a Reader<'a>,
    /// The version that the account must still have.
    precondition: Option<&'a str>,
    /// Digests of the answers to the writes that succeeded.
    done: Vec<Digest>,
}

/// What a write must find.
struct Meant<'m> {
    id: &'m str,
    version: Option<&'m str>,
}

impl<'a> Making<'a> {
    /// Sends a write; gives back the answer whatever its code. `meant`: the entry it is for.
    async fn send(
        &mut self,
        operation: Operation,
        target: &Dn,
        change: Change<'_>,
        meant: Option<Meant<'_>>,
    ) -> Result<Answered> {
        let (shape, supported) = (self.reader.shape(), self.reader.now.known.supported);
        let meant = meant.filter(|_| supported.assertion).and_then(|meant| {
            let is = id_filter(shape, meant.id)?;
            Some(match meant.version {
                Some(version) => is.and(Filter::equal(shape.version(), version)),
                None => is,
            })
        });
        let shown = [shape.id(), shape.version()];
        let mut controls = Vec::with_capacity(2);
        controls.extend(meant.as_ref().map(Control::Assert));
        if supported.read_after && !matches!(change, Change::Remove) {
            controls.push(Control::ReadAfter(&shown));
        }
        let write = Write { operation, target, change, controls: &controls };
        let answered = self.reader.line.write(&write).await?;
        if answered.code == 0 {
            self.done.push(answered.digest);
        }
        Ok(answered)
    }

    /// Sends a write that must succeed.
    async fn must(
        &mut self,
        operation: Operation,
        target: &Dn,
        change: Change<'_>,
        meant: Option<Meant<'_>>,
    ) -> Result<Answered> {
        let answered = self.send(operation, target, change, meant).await?;
        accepted(answered, operation)
    }

    fn applied(&self, outcome: Outcome, answered: &Answered) -> Applied {
        let digest = match &self.done[..] {
            [] => answered.digest,
            [one] => *one,
            several => Digest::of_parts(&several.iter().map(|digest| &digest.0[..]).collect::<Vec<_>>()),
        };
        let after = answered.after.as_deref().and_then(|after| Entry::parse(after).ok());
        let version = after.and_then(|entry| entry.text(self.reader.shape().version()).map(str::to_owned));
        Applied { outcome, external_id: None, version, answer: digest }
    }

    /// The account, which must be there, in the version that is wanted.
    async fn account(&self, id: &str) -> Result<Found> {
        let found = self.reader.find(id).await?.ok_or_else(|| missing(id))?;
        match self.precondition {
            Some(wanted) if found.object.version.as_deref() != Some(wanted) => Err(stale(id)),
            Some(_) | None => Ok(found),
        }
    }

    fn meant<'m>(&self, found: &'m Found) -> Option<Meant<'m>>
    where
        'a: 'm,
    {
        // What this change wrote itself has given the entry another version already.
        let version = self.precondition.filter(|_| self.done.is_empty());
        Some(Meant { id: &found.object.id, version })
    }

    async fn create(&mut self, marker: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let shape = self.reader.shape();
        let (name, entry) = encode::new_entry(shape, marker, attributes)?;
        if let Some(found) = self.found(marker).await? {
            return Ok(found);
        }
        // The name is taken also where the entry that has it is named by something else.
        if self.reader.named(&name).await?.is_some() {
            return Err(taken(&name));
        }
        let rdn = entry.iter().find(|(attribute, _)| attribute.eq_ignore_ascii_case(&shape.accounts.rdn));
        let rdn = rdn.and_then(|(attribute, values)| {
            let value = std::str::from_utf8(values.first()?).ok()?;
            Rdn::new(attribute, value)
        });
        let rdn =
            rdn.ok_or_else(|| invalid(format!("an account needs `{}` for its name", shape.accounts.rdn)))?;
        let dn = shape.accounts.base.child(rdn);
        let answered = self.send(Operation::Create, &dn, Change::Add(&entry), None).await?;
        if answered.code == 68 {
            return match self.found(marker).await? {
                Some(found) => Ok(found),
                None => Err(taken(&name)),
            };
        }
        if answered.code == OTHER && self.found(marker).await?.is_none() {
            return Err(unnamed(&answered, &dn));
        }
        let answered = accepted(answered, Operation::Create)?;
        let answered = match shape.dialect {
            Dialect::OpenLdap => answered,
            Dialect::ActiveDirectory => self.open_to_passwords(&dn).await?,
        };
        let after = answered.after.as_deref().and_then(|after| Entry::parse(after).ok());
        let id = after.and_then(|entry| {
            let id = entry.values(shape.id())?.next()?;
            Some(id_of(shape.dialect, id)?.into_owned())
        });
        let id = match id {
            Some(id) => id,
            // It was made and the answer does not say what it is: only looking tells.
            None => {
                let found = self.reader.marked(marker).await?;
                let lost = "the new account is neither in the answer nor to be found";
                let found = found.ok_or_else(|| ConnectorError::none(ErrorKind::Malformed, lost))?;
                found.object.id.into_owned()
            }
        };
        Ok(Applied { external_id: Some(id), ..self.applied(Outcome::Done, &answered) })
    }

    /// Takes back that a new account wants a smart card; the password that nobody knows stays.
    async fn open_to_passwords(&mut self, dn: &Dn) -> Result<Answered> {
        let value = |bits: i64| vec![bits.to_string().into_bytes()];
        let edits = [
            Edit::Remove(CONTROL, value(encode::NORMAL | encode::SMARTCARD)),
            Edit::Add(CONTROL, value(encode::NORMAL)),
        ];
        self.must(Operation::Update, dn, Change::Modify(&edits), None).await
    }

    /// The account that bears the marker already.
    async fn found(&self, marker: &str) -> Result<Option<Applied>> {
        let found = self.reader.marked(marker).await?;
        Ok(found.map(|Found { object, .. }| Applied {
            outcome: Outcome::AlreadySo,
            answer: Digest::of_parts(&[b"found ", object.id.as_bytes()]),
            version: object.version.map(|version| version.into_owned()),
            external_id: Some(object.id.into_owned()),
        }))
    }

    async fn set(&mut self, account: &str, attributes: &AccountAttributes) -> Result<Applied> {
        let shape = self.reader.shape();
        let mut placed = encode::placed(shape, attributes)?;
        let found = self.account(account).await?;
        let mut dn = found.dn.clone();
        let step = dn.rdns().first().map(|rdn| rdn.attributes().collect::<Vec<_>>()).unwrap_or_default();
        let mut last = None;
        // What the entry is named by is changed by giving it another name.
        let named_by = placed
            .iter()
            .position(|(attribute, _)| step.iter().any(|(kind, _)| kind.eq_ignore_ascii_case(attribute)));
        if let Some(at) = named_by {
            let ([(kind, value)], [wanted]) = (&step[..], &placed[at].1[..]) else {
                return Err(invalid(format!(
                    "`{dn}` has a name of several parts, which is not changed here"
                )));
            };
            let wanted = std::str::from_utf8(wanted).unwrap_or_default();
            if wanted != *value {
                let rdn = Rdn::new(kind, wanted).ok_or_else(|| invalid("a name is empty".to_owned()))?;
                let meant = self.meant(&found);
                let answered = self.send(Operation::Update, &dn, Change::Rename(&rdn), meant).await?;
                let new = dn.parent().unwrap_or(Dn::ROOT).child(rdn);
                match answered.code {
                    68 => return Err(taken(wanted)),
                    OTHER if self.reader.find(account).await?.is_some_and(|now| now.dn == dn) => {
                        return Err(unnamed(&answered, &new));
                    }
                    _ => {}
                }
                last = Some(accepted(answered, Operation::Update)?);
                dn = new;
            }
            placed.remove(at);
        }
        if !placed.is_empty() {
            let edits: Vec<Edit<'_>> =
                placed.into_iter().map(|(attribute, values)| Edit::Replace(attribute, values)).collect();
            let meant = self.meant(&found);
            last = Some(self.must(Operation::Update, &dn, Change::Modify(&edits), meant).await?);
        }
        Ok(match last {
            Some(answered) => self.applied(Outcome::Done, &answered),
            None => so(account, found.object.version.map(|version| version.into_owned())),
        })
    }

    async fn disable(&mut self, account: &str, way: Way) -> Result<Applied> {
        let shape = self.reader.shape();
        self.turn(account, |found| encode::disable(shape, way, &found.signs)).await
    }

    /// Makes an account usable or unusable.
    async fn turn<'e>(
        &mut self,
        account: &str,
        edits: impl FnOnce(&Found) -> Vec<Edit<'e>>,
    ) -> Result<Applied> {
        let found = self.account(account).await?;
        let edits = edits(&found);
        if edits.is_empty() {
            return Ok(so(account, found.object.version.map(|version| version.into_owned())));
        }
        let meant = self.meant(&found);
        let answered = self.must(Operation::Update, &found.dn, Change::Modify(&edits), meant).await?;
        Ok(self.applied(Outcome::Done, &answered))
    }

    async fn delete(&mut self, account: &str) -> Result<Applied> {
        let found = match self.account(account).await {
            Ok(found) => found,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(so(account, None)),
            Err(error) => return Err(error),
        };
        let meant = self.meant(&found);
        let answered = self.send(Operation::Delete, &found.dn, Change::Remove, meant).await?;
        if answered.code == 32 {
            // Somebody moved or removed it since it was found.
            return Err(stale(account));
        }
        let answered = accepted(answered, Operation::Delete)?;
        Ok(self.applied(Outcome::Done, &answered))
    }

    async fn member(&mut self, account: &str, group: &str, wanted: bool) -> Result<Applied> {
        let found = match self.account(account).await {
            Ok(found) => found,
            // Who is not there is in no group.
            Err(error) if error.kind == ErrorKind::NotFound && !wanted => return Ok(so(account, None)),
            Err(error) => return Err(error),
        };
        let shape = self.reader.shape();
        match self.reader.find_group(group, &[shape.id(), &self.reader.grouping()?.name]).await? {
            Some(group) => self.change_member(&found, &group, wanted).await,
            None if wanted => {
                Err(ConnectorError::none(ErrorKind::NotFound, format!("there is no group `{group}`")))
            }
            None => Ok(so(group, None)),
        }
    }

    async fn change_member(&mut self, found: &Found, group: &Group, wanted: bool) -> Result<Applied> {
        let groups = self.reader.grouping()?;
        let member = match groups.by_name {
            true => found.object.name.as_bytes().to_vec(),
            false => found.dn.to_string().into_bytes(),
        };
        let meant = || Some(Meant { id: &group.id, version: None });
        let attribute = groups.member.as_str();
        let (operation, already, edit) = match wanted {
            true => (Operation::Grant, 20, Edit::Add(attribute, vec![member])),
            false => (Operation::Revoke, 16, Edit::Remove(attribute, vec![member])),
        };
        let mut edits = vec![edit];
        let mut answered = self.send(operation, &group.dn, Change::Modify(&edits), meant()).await?;
        // A group that must not be empty keeps a stand-in.
        if answered.code == 65
            && !wanted
            && let Some(placeholder) = &groups.placeholder
        {
            edits.push(Edit::Add(attribute, vec![placeholder.to_string().into_bytes()]));
            answered = self.send(operation, &group.dn, Change::Modify(&edits), meant()).await?;
        }
        let is_so = match self.reader.shape().dialect {
            Dialect::OpenLdap => answered.code == already,
            // It says so in words of its own (MS-ADTS §3.1.1.5.3.7.3): who is a member is unwilling or there.
            Dialect::ActiveDirectory => match wanted {
                true => matches!(answered.code, 20 | 68),
                false => matches!(answered.code, 16 | 53) && !self.holds(found, group).await?,
            },
        };
        if is_so {
            return Ok(Applied { version: None, ..so(&group.id, None) });
        }
        let answered =
            accepted(answered, operation).map_err(|error| match answered_empty(&error, wanted) {
                true => ConnectorError {
                    message: format!(
                        "{}; it is the last member of `{}`: set `groups.placeholder` to what may stand in",
                        error.message, group.dn
                    ),
                    ..error
                },
                false => error,
            })?;
        Ok(Applied { version: None, ..self.applied(Outcome::Done, &answered) })
    }

    async fn holds(&self, found: &Found, group: &Group) -> Result<bool> {
        let (groups, whole) = self.reader.all_holding(found).await?;
        Ok(!whole || groups.iter().any(|held| held.id == group.id))
    }

    async fn leave_all(&mut self, account: &str) -> Result<Applied> {
        let found = match self.account(account).await {
            Ok(found) => found,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(so(account, None)),
            Err(error) => return Err(error),
        };
        let (groups, whole) = self.reader.all_holding(&found).await?;
        let mut last = None;
        for group in &groups {
            last = Some(self.change_member(&found, group, false).await?);
        }
        if !whole {
            let message = "the directory did not show all groups; those it showed were left";
            return Err(ConnectorError::none(ErrorKind::Malformed, message));
        }
        let outcome = if self.done.is_empty() { Outcome::AlreadySo } else { Outcome::Done };
        Ok(last.map_or_else(|| so(account, None), |last| Applied { outcome, ..last }))
    }
}

/// Whether a removal was refused because the group would be empty.
fn answered_empty(error: &ConnectorError, wanted: bool) -> bool {
    !wanted && error.kind == ErrorKind::Invalid && error.message.contains("objectClassViolation")
}

fn accepted(answered: Answered, operation: Operation) -> Result<Answered> {
    match answered.code {
        0 => Ok(answered),
        _ => Err(unwritten(&answered, operation.as_str())),
    }
}

/// The server failed on its own to give an entry a name, and reading said that it did not: OpenLDAP does so
/// when the name is longer than its index of names takes.
fn unnamed(answered: &Answered, dn: &Dn) -> ConnectorError {
    /// As many bytes as every server takes in one step of a name.
    const SURE: usize = 200;
    let error = refusal(answered, &format!("give an entry the name `{dn}`"));
    match dn.rdns().first().map_or(0, |rdn| rdn.to_string().len()) {
        long @ SURE.. => invalid(format!("{error}; the first step is {long} bytes, which can be too many")),
        _ => error,
    }
}

fn missing(account: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::NotFound, format!("there is no account `{account}`"))
}

fn stale(what: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Stale, format!("`{what}` was changed since it was read"))
}

fn taken(name: &str) -> ConnectorError {
    let message = format!("the name `{name}` is taken by an entry that does not bear the hub's marker");
    ConnectorError::none(ErrorKind::AlreadyExists, message)
}

fn so(what: &str, version: Option<String>) -> Applied {
    let answer = Digest::of_parts(&[b"already so ", what.as_bytes()]);
    Applied { outcome: Outcome::AlreadySo, external_id: None, version, answer }
}
