//! A decision by the few policies that are about the question, against Cedar with all of them.
//!
//! Without HTTP and without a store: the same policies, the same question and the same answer, in this process; each side
//! makes who asks and what is asked anew. CPU time of the thread.

use std::{collections::BTreeMap, str::FromStr as _};

use bailiwick_core::{
    id::ResourceTypeName,
    policy::{
        AccessQuestion, AttributeType, AttributeValue, Attributes, PolicyFile, PolicySet, Said, Vocabulary,
    },
    resource::ResourceType,
};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Request, RestrictedExpression,
};
use serde_json::json;

use super::decisions::policies;
use crate::{
    measure::{Pairs, cpu},
    row::{Goal, Row, medians},
};

const PAIRS: usize = 9;
const POLICIES: usize = 1_000;
/// How many questions of a pair, of all and of ours.
const ASKED: [usize; 2] = [20, 2_000];
const ACTION: &str = "a3";

/// The row.
pub fn row() -> Row {
    let text = policies(POLICIES);
    let (ours, all) = (Ours::new(&text), All::new(&text));
    for (record, expect) in [("r7", true), ("r0", false)] {
        assert_eq!((ours.decides(record), all.decides(record)), (expect, expect), "{record}");
    }
    let each = |count: usize, decides: &dyn Fn(&str) -> bool| {
        cpu(|| (0..count).for_each(|n| assert!(decides(&format!("r{}", n + 1))))) / count as f64
    };
    let pairs =
        Pairs::of(PAIRS, |_| each(ASKED[0], &|r| all.decides(r)), |_| each(ASKED[1], &|r| ours.decides(r)));
    Row::ratio(
        format!("one decision, {POLICIES} policies, without HTTP"),
        "Cedar on the unsliced set, CPU",
        Goal::AtLeast(100.0),
        &pairs,
    )
    .with(medians(&pairs, 1, "a decision"))
}

fn person() -> Attributes {
    BTreeMap::from([("department".to_owned(), AttributeValue::Text("d1".to_owned()))])
}

/// What the hub decides by.
struct Ours {
    policies: PolicySet,
    record: ResourceTypeName,
}

impl Ours {
    fn new(text: &str) -> Self {
        let actions: Vec<String> = (0..20).map(|n| format!("a{n}")).collect();
        let record: ResourceType = serde_json::from_value(json!({
            "name": "record", "actions": actions, "context": { "hour": "number" }, "sample": 1,
        }))
        .unwrap();
        let vocabulary = Vocabulary {
            identity: BTreeMap::from([("department".to_owned(), AttributeType::Text)]),
            required: ["department".to_owned()].into(),
            resources: vec![record.clone()],
            ..Vocabulary::default()
        };
        let file = PolicyFile { path: "access.cedar".into(), text: text.to_owned() };
        let policies =
            PolicySet::load(&[file], &vocabulary).unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        Self { policies, record: record.name }
    }

    fn decides(&self, record: &str) -> bool {
        let principal = self.policies.access_identity("person", &person()).unwrap();
        let said = Said::default();
        let question = AccessQuestion {
            principal: &principal,
            action: ACTION,
            resource_type: &self.record,
            resource: record,
            said: &said,
        };
        self.policies.allows(question).unwrap().allowed
    }
}

/// Cedar as it comes.
struct All {
    policies: cedar_policy::PolicySet,
    authorizer: Authorizer,
}

impl All {
    fn new(text: &str) -> Self {
        Self { policies: text.parse().unwrap(), authorizer: Authorizer::new() }
    }

    fn decides(&self, record: &str) -> bool {
        let [principal, action, resource, kind] = [
            "Identity::\"one\"".to_owned(),
            "Action::\"access\"".to_owned(),
            format!("Resource::\"record/{record}\""),
            "ResourceType::\"record\"".to_owned(),
        ]
        .map(|text| EntityUid::from_str(&text).unwrap());
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let empty = || RestrictedExpression::new_record([]).unwrap();
        let subject =
            [("kind", "person"), ("department", "d1")].map(|(name, value)| (name.to_owned(), text(value)));
        let subject = Entity::new(principal.clone(), subject.into(), [].into()).unwrap();
        let about = [("type", "record"), ("id", record)].map(|(name, value)| (name.to_owned(), text(value)));
        let object = Entity::new(resource.clone(), about.into(), [kind].into()).unwrap();
        let said = ["subject", "action", "resource", "request"].map(|name| (name.to_owned(), empty()));
        let said = RestrictedExpression::new_record(said).unwrap();
        let context = [("action".to_owned(), text(ACTION)), ("said".to_owned(), said)];
        let context = Context::from_pairs(context).unwrap();
        let request = Request::new(principal, action, resource, context, None).unwrap();
        let world = Entities::from_entities([subject, object], None).unwrap();
        let answer = self.authorizer.is_authorized(&request, &self.policies, &world);
        answer.decision() == Decision::Allow
    }
}
