//! Who comes into a group and who goes, without looking at who is in it: so it costs what is said and not what is there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    super::{
        fault::{Fault, Result, Wrong},
        filter::{Filter, Literal, Operator},
        shape::members,
    },
    Op,
};

/// What is to become of the members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// Who comes in.
    pub added: BTreeSet<String>,
    /// Who goes.
    pub removed: BTreeSet<String>,
    /// Whether everybody else goes.
    pub others: bool,
}

impl MemberChange {
    pub(super) fn change(
        &mut self,
        op: Op,
        of_part: bool,
        filter: Option<&Filter<'_>>,
        value: Option<Value>,
    ) -> Result<()> {
        if of_part {
            let detail =
                "a member is what it is; add and remove members, or pick them by `members[value eq \"…\"]`";
            return Err(Fault::new(Wrong::Mutability, detail));
        }
        let value = value.filter(|value| !value.is_null());
        match (op, filter, value) {
            (Op::Add, None, Some(value)) => self.add(members(&value)?),
            (Op::Replace, None, value) => {
                self.replace(value.as_ref().map(members).transpose()?.unwrap_or_default())
            }
            (Op::Remove, None, None) => self.replace(BTreeSet::new()),
            (Op::Remove, None, Some(value)) => self.remove(members(&value)?),
            (Op::Remove, Some(filter), _) => {
                let mut ids = BTreeSet::new();
                if !picks(filter, &mut ids) {
                    let detail = "members are picked by `value eq \"…\"`, several with `or`";
                    return Err(Fault::new(Wrong::Path, detail));
                }
                self.remove(ids);
            }
            (Op::Add | Op::Replace, Some(_), _) => {
                return Err(Fault::new(
                    Wrong::Path,
                    "what members are cannot be changed; add and remove them",
                ));
            }
            (Op::Add, None, None) => {
                return Err(Fault::new(Wrong::Value, "nobody is named who is to come in"));
            }
        }
        Ok(())
    }

    fn add(&mut self, ids: BTreeSet<String>) {
        self.removed.retain(|id| !ids.contains(id));
        self.added.extend(ids);
    }

    fn remove(&mut self, ids: BTreeSet<String>) {
        self.added.retain(|id| !ids.contains(id));
        self.removed.extend(ids);
    }

    fn replace(&mut self, ids: BTreeSet<String>) {
        *self = Self { added: ids, removed: BTreeSet::new(), others: true };
    }
}

/// The ids that a filter picks, where it picks by nothing else.
fn picks(filter: &Filter<'_>, ids: &mut BTreeSet<String>) -> bool {
    match filter {
        Filter::Or(left, right) => picks(left, ids) && picks(right, ids),
        Filter::Compare(place, Operator::Eq, Literal::Text(id)) if place.attribute.name == "value" => {
            ids.insert(id.clone());
            true
        }
        Filter::And(..) | Filter::Not(_) | Filter::Present(_) | Filter::Compare(..) | Filter::Some(..) => {
            false
        }
    }
}
