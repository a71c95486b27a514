//! Attributes as what is bound to a statement.

use std::collections::BTreeMap;

use bailiwick_connector::{ConnectorError, ErrorKind, Object, ObjectValue, Result, broker::Statement};
use bailiwick_core::account::{AccountAttributes, AccountValue};

use super::settings::Kind;

/// Binds every attribute that the statement knows, and nothing to those that are not given. Fails with
/// `Invalid` for an attribute that it does not know, or that is not of its kind.
pub(super) fn bind<'a>(
    mut statement: Statement<'a>,
    known: &'a BTreeMap<String, Kind>,
    attributes: &'a AccountAttributes,
) -> Result<Statement<'a>> {
    let invalid = |message: String| ConnectorError::none(ErrorKind::Invalid, message);
    if let Some(unknown) = attributes.keys().find(|name| !known.contains_key(*name)) {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(invalid(format!("there is no attribute `{unknown}`; there are {}", names.join(", "))));
    }
    for (name, kind) in known {
        let wrong = |is: &str| Err(invalid(format!("the attribute `{name}` is {is}")));
        statement = match (kind, attributes.get(name)) {
            (Kind::Text, None) => statement.text(name, None),
            (Kind::Text, Some(AccountValue::Text(text))) => statement.text(name, text.as_str()),
            (Kind::Text, Some(AccountValue::Flag(_) | AccountValue::Many(_))) => return wrong("a text"),
            (Kind::Flag, None) => statement.flag(name, None),
            (Kind::Flag, Some(AccountValue::Flag(flag))) => statement.flag(name, *flag),
            (Kind::Flag, Some(AccountValue::Text(_) | AccountValue::Many(_))) => return wrong("yes or no"),
            (Kind::Many, None) => statement.many(name, None),
            (Kind::Many, Some(AccountValue::Many(many))) => statement.many(name, many.as_slice()),
            (Kind::Many, Some(AccountValue::Text(_) | AccountValue::Flag(_))) => {
                return wrong("several texts");
            }
        };
    }
    Ok(statement)
}

/// Whether an account has all of these values already.
pub(super) fn bears(object: &Object<'_>, attributes: &AccountAttributes) -> bool {
    attributes.iter().all(|(name, wanted)| match (object.attribute(name), wanted) {
        (Some(ObjectValue::Text(is)), AccountValue::Text(wanted)) => is == wanted,
        (Some(ObjectValue::Flag(is)), AccountValue::Flag(wanted)) => is == wanted,
        (Some(ObjectValue::Many(is)), AccountValue::Many(wanted)) => is.iter().eq(wanted.iter()),
        (
            Some(ObjectValue::Text(_) | ObjectValue::Flag(_) | ObjectValue::Many(_) | ObjectValue::Null)
            | None,
            _,
        ) => false,
    })
}
