#![allow(clippy::all, clippy::disallowed_methods)]
use bailiwick_core::{access::AccessClass, id::EntitlementName, policy::*};
use std::collections::*;
use std::time::Instant;
fn main() {
    for (n_ent, per) in [(20usize, 1usize), (100, 2), (500, 2), (500, 4)] {
        let departments = 40;
        let vocabulary = Vocabulary {
            identity: [("department", AttributeType::Text), ("level", AttributeType::Number), ("site", AttributeType::Text), ("employee_type", AttributeType::Text)].map(|(n, k)| (n.to_owned(), k)).into(),
            required: BTreeSet::from(["department".to_owned(), "employee_type".to_owned()]),
            entitlements: (0..n_ent).map(|i| EntitlementFacts { name: EntitlementName::new(&format!("sys{}/ent{i}", i % 10)).unwrap(), class: AccessClass::DirectGroups, privileged: false, labels: BTreeSet::new() }).collect(),
        };
        let mut text = String::new();
        for i in 0..n_ent {
            for j in 0..per {
                text.push_str(&format!("@id(\"p{i}-{j}\") permit(principal, action == Action::\"hold\", resource == Entitlement::\"sys{}/ent{i}\") when {{ principal.employee_type == \"employee\" && principal.department == \"D{}\" && principal has level && principal.level >= {j} }};\n", i % 10, (i + j) % departments));
            }
        }
        text.push_str(&format!("@id(\"sod\") forbid(principal, action == Action::\"hold\", resource == Entitlement::\"sys1/ent1\") when {{ context.holding.contains(\"sys0/ent0\") }};\n"));
        let files = [PolicyFile { path: "p".into(), text }];
        let t = Instant::now();
        let set = PolicySet::load(&files, &vocabulary).unwrap();
        let load = t.elapsed();
        let facts = |i: usize| Attributes::from([
            ("department".to_owned(), AttributeValue::Text(format!("D{}", i % departments))),
            ("employee_type".to_owned(), AttributeValue::Text("employee".into())),
            ("level".to_owned(), AttributeValue::Number((i / departments % 5) as i64)),
        ]);
        let all: Vec<Attributes> = (0..200).map(facts).collect();
        let mut best = f64::MAX; let mut held = 0;
        for _ in 0..5 {
            let t = Instant::now();
            for f in &all { held += set.holds("person", f).unwrap().held.len(); }
            best = best.min(t.elapsed().as_secs_f64() / all.len() as f64);
        }
        let mut bulk = set.bulk();
        for f in &all { bulk.holds("person", f).unwrap(); }
        let t = Instant::now();
        for _ in 0..500 { for f in &all { held += bulk.holds("person", f).unwrap().held.len(); } }
        let hit = t.elapsed().as_secs_f64() / (500.0 * all.len() as f64);
        println!("{n_ent} ent x {per}: load {load:?}, tuple {:.1} us, per entitlement {:.2} us, memo hit {:.3} us ({held})", best * 1e6, best * 1e6 / n_ent as f64, hit * 1e6);
    }
}
