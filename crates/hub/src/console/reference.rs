//! `/api`: the API for people, made from its description. It takes no session: it says what the program is, and nothing of
//! what it keeps.
//!
//! Promises: every operation stands on the first page in one line, so that the browser's own search finds it, and leads to the
//! page of its part, which says everything that it takes, answers and refuses; each type has a page of its own. Absent: a form
//! that calls. The example does, from a terminal.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::Path, response::Response};
use serde_json::Value;

use super::{assets, frame::page, trouble::Trouble};
use crate::{
    api::{DESCRIPTION, Described, Description, Section, example, openapi},
    problem::Problem,
};

/// What a value is, and where that is told.
struct Kind {
    text: String,
    link: Option<String>,
}

/// A parameter, or a member of an object.
struct Field {
    name: String,
    place: &'static str,
    kind: Kind,
    required: bool,
    says: String,
}

/// One operation.
struct Line {
    of: &'static Described,
    who: String,
    fields: Vec<Field>,
    body: Option<Kind>,
    answer: Option<Kind>,
    refused: Vec<u16>,
    call: String,
}

/// The operations on one kind of thing.
struct Part {
    name: &'static str,
    about: &'static str,
    slug: String,
    operations: &'static [Described],
    /// Whether it is the one that is looked at.
    here: bool,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    parts: Vec<Part>,
    statuses: Vec<(u16, &'static str)>,
    count: usize,
}

#[derive(Template)]
#[template(path = "reference-part.html")]
struct OnePart {
    part: Part,
    /// All of them, for the menu.
    parts: Vec<Part>,
}

#[derive(Template)]
#[template(path = "reference-type.html")]
struct Type {
    name: String,
    says: String,
    forms: Vec<(String, Vec<Field>)>,
    kind: Kind,
    text: String,
}

/// `GET /api`
pub async fn show() -> Result<Response, Trouble> {
    let parts = parts();
    let statuses = (300..600).filter_map(|status| Some((status, openapi::means(status)?.1))).collect();
    let count = DESCRIPTION.operations().count();
    page(&Reference { parts, statuses, count })
}

/// `GET /api/{part}`
pub async fn show_part(Path(wanted): Path<String>) -> Result<Response, Trouble> {
    let mut parts = parts();
    let Some(section) = DESCRIPTION.sections.iter().find(|section| slug(section.name) == wanted) else {
        return Err(Problem::new(404, "not-found", format!("there is no part `{wanted}` of the API")).into());
    };
    let part = Part { lines: section.operations.iter().map(line).collect(), ..part(section) };
    parts.iter_mut().for_each(|one| one.here = one.slug == part.slug);
    page(&OnePart { part, parts })
}

fn parts() -> Vec<Part> {
    DESCRIPTION.sections.iter().map(part).collect()
}

/// A part with its operations named, and not yet told.
fn part(section: &'static Section) -> Part {
    Part {
        name: section.name,
        about: section.about,
        slug: slug(section.name),
        operations: &section.operations,
        here: false,
        lines: Vec::new(),
    }
}

/// `GET /api/types/{name}`
pub async fn show_type(Path(name): Path<String>) -> Result<Response, Trouble> {
    let Some(schema) = DESCRIPTION.schemas.get(&name) else {
        return Err(Problem::new(404, "not-found", format!("there is no type `{name}`")).into());
    };
    let said = |schema: &Value| schema["description"].as_str().unwrap_or_default().to_owned();
    let mut forms = vec![(String::new(), members(schema))];
    for form in schema["oneOf"].as_array().or(schema["anyOf"].as_array()).into_iter().flatten() {
        forms.push((said(form), members(form)));
    }
    forms.retain(|(_, fields)| !fields.is_empty());
    let text = format!("{schema:#}");
    page(&Type { says: said(schema), forms, kind: kind(schema), name, text })
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn line(of: &'static Described) -> Line {
    let field = |place, name: &str, schema: &Value, required| Field {
        name: name.to_owned(),
        place,
        kind: kind(schema),
        required,
        says: schema["description"].as_str().unwrap_or_default().to_owned(),
    };
    let mut fields: Vec<Field> =
        of.segments.iter().map(|(name, schema)| field("path", name, schema, true)).collect();
    fields.extend(of.query.iter().map(|one| field("query", &one.name, &one.schema, one.required)));
    let json = of.body.as_ref().filter(|body| body.media == "application/json");
    let body = json.map(|body| DESCRIPTION.resolved(&body.schema));
    fields.extend(body.into_iter().flat_map(members));
    let content = |media: &str, schema: &Value| match media {
        "application/json" => kind(schema),
        other => Kind { text: other.to_owned(), link: None },
    };
    let refused = of.statuses.iter().copied().filter(|status| *status != of.answer.0).collect();
    Line {
        who: openapi::description_of(of),
        fields,
        body: of.body.as_ref().map(|body| content(body.media, &body.schema)),
        answer: of.answer.1.as_ref().map(|answer| content(answer.media, &answer.schema)),
        refused,
        call: call(&DESCRIPTION, of),
        of,
    }
}

/// The members of an object.
fn members(schema: &Value) -> Vec<Field> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties: BTreeMap<&String, &Value> =
        schema["properties"].as_object().into_iter().flatten().collect();
    let field = |(name, schema): (&String, &Value)| Field {
        name: name.clone(),
        place: "body",
        kind: kind(schema),
        required: required.contains(&name.as_str()),
        says: schema["description"].as_str().unwrap_or_default().to_owned(),
    };
    properties.into_iter().map(field).collect()
}

/// What a value is, in words.
fn kind(schema: &Value) -> Kind {
    let plain = |text: String| Kind { text, link: None };
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        return Kind { text: name.to_owned(), link: Some(format!("/api/types/{name}")) };
    }
    for of in ["oneOf", "anyOf"] {
        let forms: Vec<&Value> =
            schema[of].as_array().into_iter().flatten().filter(|form| form["type"] != "null").collect();
        match forms.as_slice() {
            [] => {}
            [only] => return kind(only),
            _ => {
                let words = forms.iter().map(|form| kind(form).text).collect::<Vec<_>>();
                return plain(words.join(" or "));
            }
        }
    }
    if let Some(only) = schema["const"].as_str() {
        return plain(format!("`{only}`"));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return plain(words.join(" or "));
    }
    let name = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        other => other.as_str(),
    };
    match (name, schema["format"].as_str()) {
        (Some("array"), _) => {
            let Kind { text, link } = kind(&schema["items"]);
            Kind { text: format!("list of {text}"), link }
        }
        (Some("object"), _) if schema["additionalProperties"].is_object() => {
            let Kind { text, link } = kind(&schema["additionalProperties"]);
            Kind { text: format!("name → {text}"), link }
        }
        (Some("string"), Some("date-time")) => plain("instant".into()),
        (Some("string"), Some(format)) => plain(format.to_owned()),
        (Some("string"), None) => plain("text".into()),
        (Some(other), _) => plain(other.to_owned()),
        (None, _) => plain("anything".into()),
    }
}

/// A call that can be typed.
fn call(description: &Description, of: &Described) -> String {
    let mut path = of.path.to_owned();
    for (name, schema) in &of.segments {
        let value = example::of(description, schema);
        path = path.replace(&format!("{{{name}}}"), value.as_str().unwrap_or("name"));
    }
    let mut text = format!("curl -X {} \"$HUB/api/v1{path}\"", of.verb.as_str());
    if of.token {
        text.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
    }
    if of.keyed() {
        text.push_str(" \\\n  -H \"Idempotency-Key: $(uuidgen)\"");
    }
    match &of.body {
        Some(body) if body.media == "application/json" => {
            let value = example::of(description, &body.schema);
            text.push_str(&format!(" \\\n  -H \"Content-Type: {}\" \\\n  -d '{value}'", body.media));
        }
        Some(_) => text.push_str(" \\\n  --data-binary @FILE"),
        None => {}
    }
    text
}
