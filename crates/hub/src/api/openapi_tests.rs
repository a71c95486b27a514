//! The description: it is what `docs/openapi.json` holds, and whole in itself.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    DESCRIPTION,
    openapi::{document, means, text},
    operation::Access,
};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[test]
#[allow(clippy::disallowed_methods, reason = "writing golden files anew is asked for by the environment")]
fn the_description_is_the_one_that_was_looked_at() {
    let generated = text();
    if std::env::var_os("BAILIWICK_BLESS").is_some() {
        std::fs::write(golden(), generated).unwrap();
    }
    let written = std::fs::read_to_string(golden()).unwrap_or_default();
    // Not the whole of both: they are long.
    let differs = written.lines().zip(generated.lines()).position(|(one, other)| one != other);
    assert!(
        written == generated,
        "docs/openapi.json differs at {differs:?}; BAILIWICK_BLESS=1 writes it anew"
    );
}

/// Every reference in a value. What is said is for who calls, and not for who reads the sources.
fn walk<'v>(value: &'v Value, references: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(map) => {
            let says = map.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(!["[`", "Debug", "::"].iter().any(|sign| says.contains(sign)), "{says}");
            references.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| walk(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_led_to() {
    let whole = document(&DESCRIPTION);
    let mut references = BTreeSet::new();
    walk(&whole, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(whole.pointer(pointer).is_some(), "{reference}");
    }
    for (name, _) in whole["components"]["schemas"].as_object().unwrap() {
        assert!(
            references.contains(format!("#/components/schemas/{name}").as_str()),
            "nothing leads to {name}"
        );
        assert!(
            !name.ends_with(|last: char| last.is_ascii_digit()),
            "two types are called {name}: rename one"
        );
    }
}

#[test]
fn an_operation_is_described_whole() {
    let mut ids = BTreeSet::new();
    for one in DESCRIPTION.operations() {
        assert!(ids.insert(one.id), "{} is there twice", one.id);
        let open = one.path.matches('{').count();
        assert_eq!(one.segments.len(), open, "{}: the path and what is taken of it", one.id);
        assert!(one.says.ends_with('.') && !one.says.contains('\n'), "{}: {}", one.id, one.says);
        assert_eq!(one.token, one.access != Access::Open, "{}: who may, and what the handler takes", one.id);
        let unexplained =
            one.statuses.iter().filter(|status| **status != one.answer.0 && means(**status).is_none());
        assert_eq!(unexplained.count(), 0, "{}: {:?}", one.id, one.statuses);
        if let Some(view) = one.view {
            assert!(one.path.starts_with(view), "{}: the path does not begin with {view}", one.id);
            let reads = DESCRIPTION.operations().any(|other| other.path == view && !other.verb.changes());
            assert!(reads, "{}: nothing reads {view}", one.id);
        }
    }
    assert!(ids.len() > 85, "{}", ids.len());
}
