//! What policies read of an identity, checked against what is declared. Nothing else is given to Cedar, so that nothing
//! else can matter.

use std::collections::BTreeSet;

use super::{
    AttributeType, AttributeValue, Attributes, PolicyFault,
    vocabulary::{KIND, Words},
};

/// The attributes that policies of one action read, as declared.
pub(super) struct Declared(Vec<Attribute>);

struct Attribute {
    name: String,
    kind: AttributeType,
    required: bool,
}

impl Declared {
    /// Those of `read` that are attributes of identities.
    pub(super) fn new(read: &BTreeSet<String>, words: &Words) -> Self {
        let of = words.identity.iter().filter(|(name, _)| read.contains(*name)).map(|(name, kind)| {
            Attribute { name: name.clone(), kind: *kind, required: words.required.contains(name) }
        });
        Self(of.collect())
    }

    /// Their names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|attribute| &attribute.name)
    }

    /// What is read of an identity of the kind with these attributes.
    pub(super) fn known(&self, kind: &str, attributes: &Attributes) -> Result<Attributes, PolicyFault> {
        let mut known = Attributes::from([(KIND.to_owned(), AttributeValue::Text(kind.to_owned()))]);
        for Attribute { name, kind, required } in &self.0 {
            match attributes.get(name) {
                Some(value) if value.is(*kind) => drop(known.insert(name.clone(), value.clone())),
                Some(_) => return Err(PolicyFault::WrongType { attribute: name.clone(), expected: *kind }),
                None if *required => return Err(PolicyFault::MissingAttribute { attribute: name.clone() }),
                None => {}
            }
        }
        Ok(known)
    }
}
