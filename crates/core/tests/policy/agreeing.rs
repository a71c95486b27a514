//! Many at once decide as one by one, and both as plain Cedar does: seeded facts and rules.

use super::*;

/// SplitMix64: random enough for facts, and the same everywhere.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn facts(&mut self) -> (&'static str, Attributes) {
        let mut facts = Attributes::new();
        let mut put = |name: &str, value| drop(facts.insert(name.to_owned(), value));
        if self.below(10) > 0 {
            put("employee_type", text(["employee", "contractor"][self.below(2) as usize]));
        }
        if self.below(3) > 0 {
            put("department", text(["Finance", "Engineering", ""][self.below(3) as usize]));
        }
        if self.below(3) > 0 {
            put("level", AttributeValue::Number(self.below(7) as i64));
        }
        if self.below(3) > 0 {
            let sites = ["Basel", "Bern"].iter().filter(|_| self.below(2) > 0);
            put("sites", AttributeValue::TextSet(sites.map(|s| (*s).to_owned()).collect()));
        }
        // Read by no policy.
        put("starts", text(&self.below(1_000_000).to_string()));
        (["person", "agent", "workload"][self.below(3) as usize], facts)
    }
}

#[test]
fn bulk_gives_the_same_as_one_by_one_and_asks_once_for_each_tuple() {
    let rules = [
        PAYMENTS,
        r#"@id("four-eyes") forbid(principal, action == Action::"hold", resource == Entitlement::"erp/approve-payment")
        when { context.holding.contains("erp/create-payment") };"#,
        r#"@id("engineers") permit(principal, action == Action::"hold", resource in System::"chat")
        when { principal.employee_type == "employee" && principal has department && principal.department == "Engineering" };"#,
        r#"@id("bern") permit(principal, action == Action::"hold", resource == Entitlement::"vault/token")
        when { principal has sites && principal.sites.contains("Bern") && principal.kind == "agent" };"#,
    ];
    let read = ["department", "employee_type", "level", "sites"];
    // Without the last policy, the kind of the identity is not read.
    for (rules, kind_is_read) in [(rules.concat(), true), (rules[..3].concat(), false)] {
        for seed in 0..8u64 {
            let set = load(&rules);
            let mut seeded = Seeded(seed);
            let mut bulk = set.bulk();
            let mut tuples = BTreeSet::new();
            let mut held = 0;
            for _ in 0..200 {
                let (kind, facts) = seeded.facts();
                let one = set.holds(kind, &facts);
                let many = bulk.holds(kind, &facts);
                assert_eq!(one.as_ref().ok(), many.as_deref().ok(), "seed {seed}: {kind} {facts:?}");
                assert_eq!(one.as_ref().err(), many.as_ref().err(), "seed {seed}: {kind} {facts:?}");
                held += one.map_or(0, |h| h.held.len());
                let tuple = set.attributes_read(Action::Hold).iter().map(|a| facts.get(a).cloned());
                tuples.insert((kind_is_read.then_some(kind), tuple.collect::<Vec<_>>()));
            }
            let expect: Vec<&str> = read.into_iter().filter(|a| kind_is_read || *a != "sites").collect();
            assert_eq!(set.attributes_read(Action::Hold), &texts(&expect));
            assert_eq!(bulk.distinct(), tuples.len(), "seed {seed}");
            assert_eq!(bulk.evaluations(), tuples.len() as u64, "seed {seed}");
            assert!(tuples.len() < 190 && held > 20, "seed {seed}: {} tuples, {held} held", tuples.len());
        }
    }
}

/// The same question put to plain Cedar with all policies and all entities at once: no slices, no index.
struct Oracle {
    permits: cedar_policy::PolicySet,
    everything: cedar_policy::PolicySet,
    vocabulary: Vocabulary,
}

impl Oracle {
    fn new(rules: &str) -> Self {
        let parsed: cedar_policy::PolicySet = rules.parse().unwrap();
        let named = || {
            let id = |p: &cedar_policy::Policy| cedar_policy::PolicyId::new(p.annotation("id").unwrap());
            parsed.policies().map(move |p| p.new_id(id(p)))
        };
        let of = |policies: Vec<_>| cedar_policy::PolicySet::from_policies(policies).unwrap();
        let permits = named().filter(|p| p.effect() == cedar_policy::Effect::Permit);
        Self { permits: of(permits.collect()), everything: of(named().collect()), vocabulary: vocabulary() }
    }

    fn entities(&self, kind: &str, facts: &Attributes) -> cedar_policy::Entities {
        let mut attributes = serde_json::to_value(facts).unwrap();
        attributes["kind"] = kind.into();
        let identity = serde_json::json!({
            "uid": {"type": "Identity", "id": "somebody"}, "attrs": attributes, "parents": [],
        });
        let entitlements = self.vocabulary.entitlements.iter().map(|e| {
            let system = e.name.system();
            serde_json::json!({
                "uid": {"type": "Entitlement", "id": e.name.as_str()},
                "attrs": {"system": system, "class": e.class, "privileged": e.privileged, "labels": e.labels},
                "parents": [{"type": "System", "id": system}],
            })
        });
        let all = serde_json::Value::Array(entitlements.chain([identity]).collect());
        cedar_policy::Entities::from_json_value(all, None).unwrap()
    }

    fn holds(&self, kind: &str, facts: &Attributes, excepted: &BTreeSet<EntitlementName>) -> Holding {
        let entities = self.entities(kind, facts);
        let uid =
            |kind: &str, id: &str| format!("{kind}::{id:?}").parse::<cedar_policy::EntityUid>().unwrap();
        let pass = |holding: Vec<EntitlementName>| {
            let (mut out, mut beside) = (Holding::default(), Vec::new());
            for entitlement in &self.vocabulary.entitlements {
                let context = serde_json::json!({"holding": holding});
                let request = cedar_policy::Request::new(
                    uid("Identity", "somebody"),
                    uid("Action", "hold"),
                    uid("Entitlement", entitlement.name.as_str()),
                    cedar_policy::Context::from_json_value(context, None).unwrap(),
                    None,
                )
                .unwrap();
                let ask = |set| cedar_policy::Authorizer::new().is_authorized(&request, set, &entities);
                let answer = ask(&self.everything);
                let mut reasons: Vec<PolicyId> = answer.diagnostics().reason().map(PolicyId::new).collect();
                reasons.sort();
                if answer.decision() == cedar_policy::Decision::Allow {
                    out.held.insert(entitlement.name.clone(), reasons);
                } else if ask(&self.permits).decision() == cedar_policy::Decision::Allow {
                    out.forbidden.insert(entitlement.name.clone(), reasons);
                } else if excepted.contains(&entitlement.name) {
                    // What denies without a permit is a forbid, or nothing.
                    match reasons.is_empty() {
                        true => beside.push(entitlement.name.clone()),
                        false => drop(out.forbidden.insert(entitlement.name.clone(), reasons)),
                    }
                }
            }
            (out, beside)
        };
        let (first, beside) = pass(Vec::new());
        pass(first.held.into_keys().chain(beside).collect()).0
    }
}

#[test]
fn slices_and_needs_decide_as_plain_cedar_does() {
    const SCOPES: [&str; 6] = [
        "resource",
        "resource is Entitlement",
        "resource in System::\"erp\"",
        "resource == Entitlement::\"chat/engineering\"",
        "resource == Entitlement::\"erp/approve-payment\"",
        "resource is Entitlement in System::\"vault\"",
    ];
    const CONDITIONS: [&str; 16] = [
        "true",
        "resource.privileged",
        "resource.labels.contains(\"everyone\")",
        "resource.system == \"erp\" || principal.kind == \"agent\"",
        "principal.kind == \"person\"",
        "\"agent\" == principal.kind",
        "[\"person\", \"workload\"].contains(principal.kind)",
        "principal.employee_type == \"employee\"",
        "principal.employee_type != \"employee\"",
        "principal has department && principal.department == \"Finance\"",
        "principal has department && [\"Finance\", \"\"].contains(principal.department)",
        "!(principal has department) || principal.department == \"Engineering\"",
        "principal has level && principal.level == 3",
        "principal has sites && principal.sites.contains(principal.employee_type)",
        "context.holding.contains(\"erp/create-payment\")",
        "!context.holding.contains(\"chat/engineering\")",
    ];
    let (mut held, mut forbidden, mut taken) = (0, 0, 0);
    for seed in 0..100u64 {
        let mut seeded = Seeded(seed);
        let mut rules = String::new();
        for n in 0..1 + seeded.below(8) {
            let mut pick = |from: &[&'static str]| from[seeded.below(from.len() as u64) as usize];
            let effect = pick(&["permit", "permit", "permit", "forbid"]);
            let (scope, one, two) = (pick(&SCOPES), pick(&CONDITIONS), pick(&CONDITIONS));
            let clause = pick(&["when", "when", "unless"]);
            rules.push_str(&format!(
                "@id(\"p{n}\") {effect}(principal, action == Action::\"hold\", {scope}) when {{ {one} }} {clause} {{ {two} }};\n"
            ));
        }
        // Two random conditions can contradict each other, which is refused.
        let Ok(set) = PolicySet::load(&[file("p.cedar", &rules)], &vocabulary()) else { continue };
        let oracle = Oracle::new(&rules);
        for _ in 0..20 {
            let (kind, mut facts) = seeded.facts();
            facts.entry("employee_type".to_owned()).or_insert_with(|| text("employee"));
            let expect = oracle.holds(kind, &facts, &BTreeSet::new());
            assert_eq!(set.holds(kind, &facts).unwrap(), expect, "seed {seed}: {kind} {facts:?}\n{rules}");
            // The same beside what exceptions give.
            let names = oracle.vocabulary.entitlements.iter().map(|entitlement| entitlement.name.clone());
            let excepted: BTreeSet<EntitlementName> = names.filter(|_| seeded.below(3) == 0).collect();
            let beside = set.holds_beside(kind, &facts, &excepted).unwrap();
            let wanted = oracle.holds(kind, &facts, &excepted);
            assert_eq!(beside, wanted, "seed {seed}: {kind} {facts:?} beside {excepted:?}\n{rules}");
            taken += beside.forbidden.len().saturating_sub(expect.forbidden.len());
            held += expect.held.len();
            forbidden += expect.forbidden.len();
        }
    }
    assert!(taken > 100, "no forbid took what an exception gave: {taken}");
    assert!(held > 1000 && forbidden > 100, "the rules are too dull: {held} held, {forbidden} forbidden");
}

#[test]
fn tuples_that_differ_are_never_taken_for_each_other() {
    let set = load(&permit(
        "resource",
        "when { principal has department && principal has starts && principal has sites && principal has level }",
    ));
    let mut bulk = set.bulk();
    let set_of = |items: &[&str]| AttributeValue::TextSet(texts(items));
    let facts = [
        vec![],
        vec![("department", text(""))],
        vec![("starts", text(""))],
        vec![("department", text("a")), ("starts", text("b"))],
        vec![("department", text("ab")), ("starts", text(""))],
        vec![("department", text("")), ("starts", text("ab"))],
        vec![("sites", set_of(&[]))],
        vec![("sites", set_of(&[""]))],
        vec![("sites", set_of(&["a", "b"]))],
        vec![("sites", set_of(&["ab"]))],
        vec![("level", AttributeValue::Number(0))],
        vec![("level", AttributeValue::Flag(false))],
    ];
    for facts in &facts {
        let facts: Attributes = facts.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        assert_eq!(bulk.holds("person", &facts).map(|h| (*h).clone()), set.holds("person", &facts));
    }
    assert_eq!(bulk.distinct(), facts.len());
}
