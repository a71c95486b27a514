//! Whoever lives in the same store under another tenant is not there: every operation is asked by their ids and names.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    id::{BatchId, CaseId, ExceptionId, PasskeyId, ReservedId, TaskId, Tenant, TerminationId, TokenId},
    record::{Actor, Record, RecordKind},
};
use bailiwick_engine::Engine;
use bailiwick_store::{KeyKind, KeyValue, Row, Select, Table, Update, Write};
use serde_json::{Value, json};

use super::{DESCRIPTION, Verb, caller::Right, operation::Access, stage_tests::Stage};
use crate::scim::stage_tests as lived;

/// Everything that a hub has that was used; what nobody did there stands for itself, by its id.
pub async fn rows_of_a_hub_that_was_used() -> Vec<(Table, Row)> {
    let stage = lived::Stage::start().await;
    let mut users = Vec::new();
    for name in ["ann@acme.test", "bo@acme.test"] {
        users.push(stage.user(name, json!({})).await);
    }
    let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
    let group = json!({ "schemas": schemas, "displayName": "Painters", "members": [{ "value": users[0] }] });
    assert_eq!(stage.idp("POST", "/Groups", group).await.status, 201);
    stage.quiet().await;
    let operator = stage.all::<bailiwick_store::entities::Operator>().await.remove(0);
    stage.engine.offer_session(&operator).await.unwrap();
    let mut rows = Vec::new();
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    for table in Table::ALL {
        let all = tx.select(&Tenant::single(), Select::from(table)).await.unwrap();
        rows.extend(all.into_iter().map(|row| (table, Row { revision: 1, ..row })));
    }
    drop(tx);
    stage.stop().await;
    for (table, id) in [
        (Table::Batches, BatchId::from_bytes([9; 16]).to_string()),
        (Table::Cases, CaseId::from_bytes([9; 16]).to_string()),
        (Table::Exceptions, ExceptionId::from_bytes([9; 16]).to_string()),
        (Table::Passkeys, PasskeyId::from_bytes([9; 16]).to_string()),
        (Table::ReservedNames, ReservedId::from_bytes([9; 16]).to_string()),
        (Table::Tasks, TaskId::from_bytes([9; 16]).to_string()),
        (Table::Terminations, TerminationId::from_bytes([9; 16]).to_string()),
        (Table::ApiTokens, TokenId::from_bytes([9; 16]).to_string()),
    ] {
        if !rows.iter().any(|(of, _)| *of == table) {
            rows.push((table, stand_in(table, &id)));
        }
    }
    rows
}

/// A row that is only there: whoever found it could not read it, and would say so.
fn stand_in(table: Table, id: &str) -> Row {
    let key = |kind: &KeyKind| match kind {
        KeyKind::Text => KeyValue::from(id),
        KeyKind::Int => KeyValue::Null,
    };
    let keys = table.keys().iter().map(|(_, kind, _)| key(kind)).collect();
    Row { id: id.to_owned(), revision: 1, salt: [9; 16], keys, body: b"{}".to_vec() }
}

/// The values that a part of a path can have, by its name.
pub fn names(rows: &[(Table, Row)]) -> BTreeMap<&'static str, Vec<String>> {
    let of = |table: Table| {
        let all = rows.iter().filter(|(of, _)| *of == table).map(|(_, row)| row.id.clone());
        // Its own name is every hub's.
        all.filter(|id| id != "bailiwick").collect::<Vec<_>>()
    };
    let bodies = |table: Table| {
        let all = rows.iter().filter(move |(of, _)| *of == table);
        all.map(|(_, row)| serde_json::from_slice::<Value>(&row.body).unwrap())
    };
    let members = |table: Table, member: &str| -> Vec<String> {
        bodies(table).filter_map(|body| Some(body[member].as_str()?.to_owned())).collect()
    };
    let vendors =
        bodies(Table::Integrations).filter_map(|one| Some(one["register"]["vendor"].as_str()?.to_owned()));
    let vendors: BTreeSet<String> = vendors.filter(|vendor| !vendor.is_empty()).collect();
    let mut people = of(Table::Identities);
    people.extend(members(Table::Identities, "source_key"));
    let mut subjects = of(Table::Identities);
    subjects.extend(of(Table::Cases));
    let mut events = of(Table::Events);
    events.extend(of(Table::Identities));
    BTreeMap::from([
        ("plan", of(Table::Plans)),
        ("case", of(Table::Cases)),
        ("batch", of(Table::Batches)),
        ("identity", people),
        ("integration", of(Table::Integrations)),
        ("system", of(Table::Systems)),
        ("entitlement", of(Table::Entitlements)),
        ("session", of(Table::Sessions)),
        ("name", members(Table::Operators, "name")),
        ("source", members(Table::Batches, "source")),
        ("vendor", vendors.into_iter().collect()),
        ("event", events),
        ("subject", subjects),
        ("purpose", vec!["read".into(), "write".into()]),
        ("class", vec!["sessions".into()]),
        ("task", of(Table::Tasks)),
        ("exception", of(Table::Exceptions)),
        ("termination", of(Table::Terminations)),
        ("passkey", of(Table::Passkeys)),
        ("token", of(Table::ApiTokens)),
    ])
}

/// Puts the rows into the store of a hub, as another tenant's.
pub async fn somebody_else_lives_there(engine: &Engine, rows: &[(Table, Row)]) {
    let parts = engine.parts();
    let record =
        Record::new(RecordKind::Configured, engine.now(), Actor::Hub("test".into()), &*parts.entropy);
    let writes = rows.iter().map(|(table, row)| Write::Insert(*table, row.clone())).collect();
    let mut tx = parts.store.begin().await.unwrap();
    let other = Tenant::new("other").unwrap();
    tx.write(&other, vec![Update { record, writes }], &*parts.entropy).await.unwrap();
    tx.commit().await.unwrap();
}

/// The ids that are nobody's but theirs.
pub fn secrets(rows: &[(Table, Row)]) -> BTreeSet<&str> {
    rows.iter().map(|(_, row)| row.id.as_str()).filter(|id| id.contains('_')).collect()
}

#[tokio::test]
async fn the_ids_of_another_tenant_lead_nowhere() {
    let rows = rows_of_a_hub_that_was_used().await;
    let names = names(&rows);
    for (name, values) in &names {
        assert!(*name == "source" || !values.is_empty(), "there is no {name} to ask for");
    }
    let stage = Stage::start().await;
    somebody_else_lives_there(&stage.engine, &rows).await;
    let secrets = secrets(&rows);
    let (mut asked, mut wrong) = (0, Vec::new());
    for one in DESCRIPTION.operations() {
        // Each part of the path in turn with all of its values; the others with their first.
        let mut paths = vec![BTreeMap::new()];
        for (name, _) in &one.segments {
            let values = names.get(name).filter(|values| !values.is_empty());
            let values = values.map_or(&[][..], |values| &values[..values.len().min(4)]);
            let with = |path: &BTreeMap<&'static str, String>, value: &String| {
                path.iter()
                    .map(|(name, value)| (*name, value.clone()))
                    .chain([(*name, value.clone())])
                    .collect()
            };
            if !values.is_empty() {
                paths =
                    paths.iter().flat_map(|path| values.iter().map(move |value| with(path, value))).collect();
            }
        }
        for path in paths {
            let reply = stage.example(one, &path).by("admin").send().await;
            asked += 1;
            let told = secrets
                .iter()
                .find(|secret| reply.text.contains(*secret) && !path.values().any(|own| own == *secret));
            assert_eq!(told, None, "{} tells of somebody else: {}", one.id, reply.text);
            let expect: &[u16] = match (one.segments.is_empty(), one.verb) {
                (true, _) => continue,
                // Terminations are shown to nobody who may not fire people.
                (false, Verb::Get) if one.access == Access::Right(Right::Terminate) => &[403],
                (false, Verb::Get) => &[404],
                (false, Verb::Post | Verb::Put | Verb::Delete) => &[400, 403, 404, 409, 422],
            };
            if !expect.contains(&reply.status) {
                wrong.push(format!("{} {path:?}: {} {}", one.id, reply.status, reply.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 150, "{asked}");
    stage.stop().await;
}
