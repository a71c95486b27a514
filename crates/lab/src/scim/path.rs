//! Names of attributes in filters, PATCH paths and projections (RFC 7644 §3.10), resolved against the schema.
//!
//! Resolution is total: what does not resolve is refused by the caller, so nothing later meets an unknown name.

use super::schema::{Attribute, ResourceKind, named};

/// Where a name points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The URN of the extension that it lies in.
    pub(crate) extension: Option<&'static str>,
    /// The attribute; none means the extension as a whole.
    pub(crate) attribute: Option<&'static Attribute>,
    /// The sub-attribute.
    pub(crate) part: Option<&'static Attribute>,
}

impl Place {
    /// What a comparison with this place compares: the part, or the `value` of a multi-valued attribute.
    pub(crate) fn compared(&self) -> Option<&'static Attribute> {
        let attribute = self.attribute?;
        match self.part {
            Some(part) => Some(part),
            None if attribute.many => named(attribute.parts, "value"),
            None => Some(attribute),
        }
    }
}

/// What names are relative to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    Resource(ResourceKind),
    /// Inside the brackets after this attribute.
    Element(&'static Attribute),
}

impl Scope {
    /// Resolves `attr`, `attr.part`, `urn:attr`, `urn:attr.part` or the bare URN of an extension.
    pub(crate) fn resolve(self, name: &str) -> Option<Place> {
        let kind = match self {
            Scope::Resource(kind) => kind,
            Scope::Element(parent) => {
                let attribute = Some(named(parent.parts, name)?);
                return Some(Place { extension: None, attribute, part: None });
            }
        };
        if let Some(extension) = kind.extension() {
            if name.eq_ignore_ascii_case(extension.urn) {
                return Some(Place { extension: Some(extension.urn), attribute: None, part: None });
            }
            if let Some(rest) = after_urn(name, extension.urn) {
                return within(rest, Some(extension.urn), |name| named(extension.attributes, name));
            }
        }
        let rest = after_urn(name, kind.core().urn).unwrap_or(name);
        within(rest, None, |name| kind.attribute(name))
    }
}

fn within(
    name: &str,
    extension: Option<&'static str>,
    find: impl Fn(&str) -> Option<&'static Attribute>,
) -> Option<Place> {
    let (name, part) = match name.split_once('.') {
        Some((name, part)) => (name, Some(part)),
        None => (name, None),
    };
    let attribute = find(name)?;
    let part = match part {
        Some(part) => Some(named(attribute.parts, part)?),
        None => None,
    };
    Some(Place { extension, attribute: Some(attribute), part })
}

fn after_urn<'a>(name: &'a str, urn: &str) -> Option<&'a str> {
    let head = name.get(..urn.len())?;
    head.eq_ignore_ascii_case(urn).then(|| name[urn.len()..].strip_prefix(':')).flatten()
}
