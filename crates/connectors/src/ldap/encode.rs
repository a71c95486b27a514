//! What is written: the attributes of a new entry, and the steps of a modification.
//!
//! Absent on purpose: values in base64. What is shown so because it is no text is not written from text.

use bailiwick_connector::{ConnectorError, ErrorKind, Result, broker::ldap::Edit};
use bailiwick_core::account::{AccountAttributes, AccountValue};

use super::{
    decode::{CONTROL, DISABLED, EXPIRES, PASSWORD, Signs, UNUSABLE},
    policy::{FOR_EVER, LOCKED},
    settings::{Dialect, Kind, Mapped, Shape, Way},
};

/// An account of a person (MS-ADTS §2.2.16).
pub(super) const NORMAL: i64 = 0x200;
/// A smart card is required. Who gets this bit gets a password that nobody knows (MS-SAMR §3.1.1.8.10), so that
/// a new account is never without one.
pub(super) const SMARTCARD: i64 = 0x4_0000;

/// Attributes and their values, as they go out.
pub(super) type Placed<'s> = Vec<(&'s str, Vec<Vec<u8>>)>;

pub(super) fn invalid(message: String) -> ConnectorError {
    ConnectorError::none(ErrorKind::Invalid, message)
}

/// The directory's attributes for ours, and their values.
///
/// # Errors
/// `Invalid`, naming the attribute, if it is not mapped or cannot have such a value.
pub(super) fn placed<'s>(shape: &'s Shape, attributes: &AccountAttributes) -> Result<Placed<'s>> {
    let mut placed: Placed<'s> = Vec::new();
    for (name, value) in attributes {
        let mapped = shape.mapped.iter().find(|mapped| mapped.name == *name).ok_or_else(|| {
            let known: Vec<_> = shape.mapped.iter().map(|mapped| mapped.name.as_str()).collect();
            invalid(format!("there is no attribute `{name}`; there are {}", known.join(", ")))
        })?;
        let values = values(mapped, value)?;
        let there = mapped.attribute.as_str();
        match placed.iter().find(|(known, _)| known.eq_ignore_ascii_case(there)) {
            Some((_, known)) if *known != values => {
                return Err(invalid(format!(
                    "two attributes give `{there}` different values, one is `{name}`"
                )));
            }
            Some(_) => {}
            None => placed.push((there, values)),
        }
    }
    Ok(placed)
}

fn values(mapped: &Mapped, value: &AccountValue) -> Result<Vec<Vec<u8>>> {
    let name = &mapped.name;
    let values = match (mapped.kind, value) {
        (Kind::Text, AccountValue::Text(text)) => vec![text.clone().into_bytes()],
        (Kind::Flag, AccountValue::Flag(flag)) => {
            vec![if *flag { b"TRUE".to_vec() } else { b"FALSE".to_vec() }]
        }
        (Kind::Many, AccountValue::Many(all)) => all.iter().map(|text| text.clone().into_bytes()).collect(),
        (Kind::Text, _) => return Err(invalid(format!("attribute `{name}` has one text"))),
        (Kind::Flag, _) => return Err(invalid(format!("attribute `{name}` is yes or no"))),
        (Kind::Many, _) => return Err(invalid(format!("attribute `{name}` has a list of texts"))),
    };
    match values.iter().any(Vec::is_empty) {
        true => Err(invalid(format!("attribute `{name}` is empty, and a directory has no empty values"))),
        false => Ok(values),
    }
}

/// The name in the attributes of a new account, and everything that its entry begins with.
///
/// # Errors
/// `Invalid` if an attribute is not mapped, or there is no sign-in name.
pub(super) fn new_entry<'s>(
    shape: &'s Shape,
    marker: &str,
    attributes: &AccountAttributes,
) -> Result<(String, Placed<'s>)> {
    let accounts = &shape.accounts;
    let mut placed = placed(shape, attributes)?;
    let of = |placed: &Placed<'s>, attribute: &str| -> Option<String> {
        let (_, values) = placed.iter().find(|(known, _)| known.eq_ignore_ascii_case(attribute))?;
        String::from_utf8(values.first()?.clone()).ok()
    };
    let name = of(&placed, &accounts.name)
        .ok_or_else(|| invalid("an account needs the attribute `userName`".to_owned()))?;
    if marker.is_empty() {
        return Err(invalid("an account needs a marker".to_owned()));
    }
    match placed.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&shape.marker)) {
        Some((_, values)) => *values = vec![marker.into()],
        None => placed.push((&shape.marker, vec![marker.into()])),
    }
    // Every class of people wants a `cn` and a `sn` (RFC 4519 §3.12).
    let whole = of(&placed, "displayName").unwrap_or_else(|| name.clone());
    let people: &[(&str, &String)] = match shape.dialect {
        Dialect::OpenLdap => &[("cn", &whole), ("sn", &name)],
        Dialect::ActiveDirectory => &[],
    };
    for (wanted, value) in [(&accounts.rdn[..], &name)].iter().chain(people).copied() {
        if of(&placed, wanted).is_none() {
            placed.push((wanted, vec![value.clone().into_bytes()]));
        }
    }
    if shape.dialect == Dialect::ActiveDirectory {
        placed.push((CONTROL, vec![(NORMAL | SMARTCARD).to_string().into_bytes()]));
    }
    let classes = accounts.classes.iter().map(|class| class.clone().into_bytes()).collect();
    placed.push(("objectClass", classes));
    Ok((name, placed))
}

/// What makes an account unusable by one way; nothing if it is so already.
pub(super) fn disable<'s>(shape: &'s Shape, way: Way, signs: &Signs) -> Vec<Edit<'s>> {
    let replace = |attribute, value: &str| vec![Edit::Replace(attribute, vec![value.into()])];
    match way {
        Way::Lock if signs.lock.as_deref() == Some(FOR_EVER) => Vec::new(),
        Way::Lock => replace(LOCKED, FOR_EVER),
        Way::Password if signs.unusable => Vec::new(),
        Way::Password => replace(PASSWORD, UNUSABLE),
        Way::Switch if signs.off => Vec::new(),
        Way::Switch => match &shape.switch {
            Some(switch) => replace(&switch.attribute, &switch.off),
            None => Vec::new(),
        },
        Way::AccountControl => control(signs, |bits| bits | DISABLED),
    }
}

/// What makes an account usable again, whichever ways it was disabled by; nothing if it is so already.
pub(super) fn enable<'s>(shape: &'s Shape, signs: &Signs) -> Vec<Edit<'s>> {
    let mut edits = control(signs, |bits| bits & !DISABLED);
    if signs.expired {
        edits.push(Edit::Replace(EXPIRES, vec![b"0".into()]));
    }
    if signs.lock.is_some() {
        edits.push(Edit::Replace(LOCKED, Vec::new()));
    }
    if signs.unusable {
        edits.push(Edit::Replace(PASSWORD, Vec::new()));
    }
    if let Some(switch) = shape.switch.as_ref().filter(|_| signs.off) {
        let on = switch.on.iter().map(|on| on.clone().into_bytes()).collect();
        edits.push(Edit::Replace(&switch.attribute, on));
    }
    edits
}

/// The bits of Active Directory, turned only if they are still what they were.
fn control(signs: &Signs, turn: impl FnOnce(i64) -> i64) -> Vec<Edit<'static>> {
    match signs.control.map(|bits| (bits, turn(bits))) {
        Some((before, after)) if before != after => {
            let value = |bits: i64| vec![bits.to_string().into_bytes()];
            vec![Edit::Remove(CONTROL, value(before)), Edit::Add(CONTROL, value(after))]
        }
        Some(_) | None => Vec::new(),
    }
}
