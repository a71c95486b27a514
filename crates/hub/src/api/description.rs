//! The description of the API, made from the table of operations: what each takes and gives, who may call it, and every
//! status that it may answer with. What keeps it (`contract.rs`), what is served (`openapi.rs`), the page for people and the
//! tests all read this and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    operation::{Access, Operation, Programs, Resource, Verb},
    signature::{Content, SCHEMAS, Shape},
};

/// The whole of it.
pub struct Description {
    /// The resources, in the order of the table.
    pub sections: Vec<Section>,
    /// Name → schema.
    pub schemas: BTreeMap<String, Value>,
}

/// The operations on one kind of thing.
pub struct Section {
    /// What people call it.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What can be done.
    pub operations: Vec<Described>,
}

/// One operation, described.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its id.
    pub id: &'static str,
    /// The method.
    pub verb: Verb,
    /// The path below `/api/v1`.
    pub path: &'static str,
    /// What it does.
    pub says: &'static str,
    /// Who may call.
    pub access: Access,
    /// Whether a program's token does.
    pub programs: Programs,
    /// The view that a change may be bound to by `If-Match`.
    pub view: Option<&'static str>,
    /// The parts of the path that are open: name and schema.
    pub segments: Vec<(&'static str, Value)>,
    /// The parameters of the query.
    pub query: Vec<Parameter>,
    /// What the body is.
    pub body: Option<Content>,
    /// The longest body, bytes, where it is not the usual one.
    pub limit: Option<usize>,
    /// The status when it is done, and what is answered then.
    pub answer: (u16, Option<Content>),
    /// Whether its handler takes who calls.
    pub token: bool,
    /// Whether the answer holds a secret that is shown this once.
    pub once: bool,
    /// Every status that it may answer with.
    pub statuses: BTreeSet<u16>,
}

/// A parameter of the query.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it is.
    pub schema: Value,
    /// Whether it must be there.
    pub required: bool,
}

impl Described {
    /// Whether a change may come with an `Idempotency-Key`: there must be somebody whose key it is.
    pub fn keyed(&self) -> bool {
        self.verb.changes() && self.access != Access::Open
    }
}

impl Description {
    /// Describes what the table offers.
    pub fn of(resources: &[Resource]) -> Self {
        let mut shape = Shape::new();
        let section = |resource: &Resource| Section {
            name: resource.name,
            about: resource.about,
            operations: resource.operations.iter().map(|one| described(one, &mut shape)).collect(),
        };
        let mut sections: Vec<Section> = resources.iter().map(section).collect();
        let given = shape.given.take_definitions(true);
        let (taken, renamed) = apart(shape.taken.take_definitions(true), &given);
        for operation in sections.iter_mut().flat_map(|section| &mut section.operations) {
            let bodies = operation.body.iter_mut().map(|content| &mut content.schema);
            let query = operation.query.iter_mut().map(|parameter| &mut parameter.schema);
            let segments = operation.segments.iter_mut().map(|(_, schema)| schema);
            bodies.chain(query).chain(segments).for_each(|schema| rename(schema, &renamed));
        }
        Self { sections, schemas: given.into_iter().chain(taken).collect() }
    }

    /// All operations.
    pub fn operations(&self) -> impl Iterator<Item = &Described> {
        self.sections.iter().flat_map(|section| &section.operations)
    }

    /// The schema that a reference leads to; any other schema is itself.
    pub fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let named = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next());
        named.and_then(|name| self.schemas.get(name)).unwrap_or(schema)
    }
}

fn described(operation: &Operation, shape: &mut Shape) -> Described {
    let Operation { id, verb, path, says, access, programs, fails, view, limit, shape: tell, route: _ } =
        operation;
    shape.next();
    tell(shape);
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let query = shape.query.drain(..);
    let query = query.map(|(name, schema, required)| Parameter { name, schema, required }).collect();
    let mut described = Described {
        id,
        verb: *verb,
        path,
        says,
        access: *access,
        programs: *programs,
        view: *view,
        segments: names.zip(shape.segments.drain(..)).collect(),
        query,
        body: shape.body.take(),
        limit: *limit,
        answer: shape.answer.take().unwrap_or((204, None)),
        token: shape.token,
        once: shape.once,
        statuses: fails.iter().copied().collect(),
    };
    let general = statuses(&described);
    described.statuses.extend(general);
    described
}

/// The statuses that follow from what an operation is.
fn statuses(operation: &Described) -> BTreeSet<u16> {
    let Described { verb, access, segments, body, answer, .. } = operation;
    // What is asked cannot be read; the store does not answer; a fault of the hub.
    let mut all = BTreeSet::from([answer.0, 400, 500, 503]);
    match access {
        Access::Open => {}
        // A program's token does not do everything that its operator may.
        Access::Token if verb.changes() => all.extend([401, 403, 429]),
        Access::Token => all.extend([401, 429]),
        Access::Right(_) | Access::Own(_) | Access::Decided => all.extend([401, 403, 429]),
    }
    if !segments.is_empty() {
        all.insert(404);
    }
    match body {
        Some(Content { media: "application/json", .. }) => all.extend([408, 413, 415]),
        Some(_) => all.extend([408, 413]),
        None => {}
    }
    if operation.keyed() {
        // A key is read together with the body, whatever that is.
        all.extend([408, 409, 412, 413, 422]);
    }
    match verb {
        Verb::Get => all.insert(304),
        Verb::Post | Verb::Put | Verb::Delete => false,
    };
    all
}

/// What is read and what is written may differ under one name; then what is read gets a name of its own.
fn apart(taken: Map<String, Value>, given: &Map<String, Value>) -> (Map<String, Value>, BTreeSet<String>) {
    let mut renamed: BTreeSet<String> = taken
        .iter()
        .filter(|(name, schema)| given.get(*name).is_some_and(|other| other != *schema))
        .map(|(name, _)| name.clone())
        .collect();
    // Whatever leads to one that was renamed is another one too, where both sides have it.
    loop {
        let leads = |schema: &Value| references(schema).iter().any(|name| renamed.contains(name));
        let more: Vec<String> = taken
            .iter()
            .filter(|(name, schema)| given.contains_key(*name) && !renamed.contains(*name) && leads(schema))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        renamed.extend(more);
    }
    let own = |name: String| if renamed.contains(&name) { format!("{name}Taken") } else { name };
    let taken = taken.into_iter().map(|(name, mut schema)| {
        rename(&mut schema, &renamed);
        (own(name), schema)
    });
    (taken.collect(), renamed)
}

/// The names that a schema refers to.
fn references(schema: &Value) -> BTreeSet<String> {
    match schema {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next());
            own.map(str::to_owned).into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

fn rename(schema: &mut Value, renamed: &BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(at)) = map.get_mut("$ref")
                && let Some(name) = at.rsplit('/').next()
                && renamed.contains(name)
            {
                *at = format!("#{SCHEMAS}/{name}Taken");
            }
            map.values_mut().for_each(|value| rename(value, renamed));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renamed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_read_and_written_differently_has_two_names() {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let leads = json!({ "$ref": "#/components/schemas/B" });
        let taken = map(json!({ "A": { "items": leads }, "B": { "type": "string" }, "C": {}, "D": leads }));
        let given = map(json!({ "A": { "items": leads }, "B": { "type": "number" }, "C": {} }));
        let (taken, renamed) = apart(taken, &given);
        assert_eq!(renamed, ["A".to_owned(), "B".to_owned()].into());
        let own = json!({ "$ref": "#/components/schemas/BTaken" });
        let expect = json!({ "ATaken": { "items": own }, "BTaken": { "type": "string" }, "C": {}, "D": own });
        assert_eq!(Value::Object(taken), expect);
    }
}
