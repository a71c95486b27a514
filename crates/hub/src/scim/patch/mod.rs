//! PATCH (RFC 7644 §3.5.2) in the dialects that are spoken: names and operations of any case, values below no path,
//! paths as names in such values, flags as texts, URNs anywhere. All operations of a request are done or none, and one
//! that cannot do anything is refused.

mod attribute;
mod members;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub use self::members::MemberChange;
use super::{
    fault::{Fault, Result, Wrong},
    json::{object, take},
    path::{Path, each},
    schema::{Mutability, Resource, Schemas},
    shape::{ignored, within},
};

const URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// How many operations a request may have.
const MOST: usize = 1_000;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Replace,
    Remove,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    op: Op,
    path: Option<String>,
    value: Option<Value>,
}

/// What came of a request besides the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patched {
    /// Who comes into a group and who goes.
    pub members: MemberChange,
    /// What nobody takes from a caller, by name.
    pub ignored: BTreeSet<String>,
}

fn syntax(detail: impl Into<String>) -> Fault {
    Fault::new(Wrong::Syntax, detail)
}

/// Reads the body of a request.
pub fn read(mut body: Map<String, Value>) -> Result<Vec<Operation>> {
    if let Some(schemas) = take(&mut body, "schemas") {
        let names = |value: &Value| value.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(URN));
        if !each(&schemas).any(names) {
            return Err(syntax(format!("`schemas` does not name `{URN}`")));
        }
    }
    let Some(Value::Array(operations)) = take(&mut body, "Operations") else {
        return Err(syntax("there is no list `Operations`"));
    };
    if operations.is_empty() || operations.len() > MOST {
        return Err(syntax(format!(
            "there are {} operations, and 1 to {MOST} can be done",
            operations.len()
        )));
    }
    operations.into_iter().map(operation).collect()
}

fn operation(value: Value) -> Result<Operation> {
    let mut entries = object(value).ok_or_else(|| syntax("an operation is an object"))?;
    let op = take(&mut entries, "op");
    let op = match op.as_ref().and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Op::Add,
        Some("replace") => Op::Replace,
        Some("remove") => Op::Remove,
        Some(_) | None => return Err(syntax("`op` is `add`, `replace` or `remove`")),
    };
    let path = match take(&mut entries, "path") {
        Some(Value::String(path)) => Some(path.trim().to_owned()).filter(|path| !path.is_empty()),
        Some(Value::Null) | None => None,
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(Fault::new(Wrong::Path, "a path is a text"));
        }
    };
    Ok(Operation { op, path, value: take(&mut entries, "value") })
}

/// Does all operations to a document.
pub fn apply(
    document: &mut Map<String, Value>,
    operations: Vec<Operation>,
    schemas: &Schemas,
) -> Result<Patched> {
    let mut patcher = Patcher { document, schemas, out: Patched::default() };
    for Operation { op, path, value } in operations {
        match (path, op) {
            (Some(path), _) => patcher.at(op, &path, value)?,
            (None, Op::Remove) => {
                return Err(Fault::new(Wrong::NoTarget, "an operation that removes needs a path"));
            }
            (None, Op::Add | Op::Replace) => patcher.entries(op, value)?,
        }
    }
    Ok(patcher.out)
}

struct Patcher<'d, 's> {
    document: &'d mut Map<String, Value>,
    schemas: &'s Schemas,
    out: Patched,
}

impl Patcher<'_, '_> {
    /// What is said without a path: each name is one.
    fn entries(&mut self, op: Op, value: Option<Value>) -> Result<()> {
        let entries = value.and_then(object).filter(|entries| !entries.is_empty());
        let Some(entries) = entries else {
            let detail = "an operation without a path has an object with at least one attribute as its value";
            return Err(Fault::new(Wrong::Value, detail));
        };
        for (name, value) in entries {
            if is_of_every_resource(&name) {
                continue;
            }
            match self.schemas.split(&name) {
                Some((None, "")) => self.entries(op, Some(value))?,
                Some(_) | None => self.at(op, &name, Some(value))?,
            }
        }
        Ok(())
    }

    fn at(&mut self, op: Op, path: &str, value: Option<Value>) -> Result<()> {
        if let Some(ignored) = ignored(path, self.schemas) {
            self.out.ignored.insert(ignored.to_owned());
            return Ok(());
        }
        let (of, filter) = match Path::parse(path, self.schemas)? {
            Path::Extension(schema) => return self.extension(op, &schema.urn, value),
            Path::Attribute { of, filter } => (of, filter),
        };
        let read_only = |mutability| mutability == Mutability::ReadOnly;
        if read_only(of.attribute.mutability) || of.part.is_some_and(|part| read_only(part.mutability)) {
            return Err(Fault::new(Wrong::Mutability, format!("`{}` is the hub's to say", of.leaf().name)));
        }
        if self.schemas.resource == Resource::Group && of.attribute.name == "members" {
            return self.out.members.change(op, of.part.is_some(), filter.as_ref(), value);
        }
        let change = |home: &mut Map<String, Value>| -> Result<()> {
            let before = home.remove(&*of.attribute.name);
            if let Some(after) = attribute::after(op, of, filter.as_ref(), before, value)? {
                home.insert(of.attribute.name.clone().into_owned(), after);
            }
            Ok(())
        };
        match of.extension {
            Some(schema) => within(self.document, &schema.urn, change),
            None => change(self.document),
        }
    }

    fn extension(&mut self, op: Op, urn: &str, value: Option<Value>) -> Result<()> {
        if op == Op::Remove {
            self.document.remove(urn);
            return Ok(());
        }
        let Some(entries) = value.and_then(object).filter(|entries| !entries.is_empty()) else {
            let detail = format!("the value for `{urn}` is an object with at least one attribute");
            return Err(Fault::new(Wrong::Value, detail));
        };
        let mut said = entries.into_iter().filter(|(name, _)| !is_of_every_resource(name));
        said.try_for_each(|(name, value)| self.at(op, &format!("{urn}:{name}"), Some(value)))
    }
}

/// Who sends all that it has sends these too; they are the hub's to say.
fn is_of_every_resource(name: &str) -> bool {
    ["id", "meta", "schemas"].iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
