//! Filters: what they hold of, what is refused, and that nothing that is written makes the reader fall over.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Filter, parse};
use crate::scim::schema::{Resource, Schemas};

fn ann() -> Map<String, Value> {
    let value = json!({
        "id": "usr_1", "externalId": "E-1", "userName": "ann@acme.example", "active": true, "title": "",
        "displayName": "Ann \"the\" Archer", "name": { "familyName": "Archer" },
        "emails": [{ "value": "ann@acme.example", "type": "work", "primary": true }, { "value": "a@home.example", "type": "home" }],
        "meta": { "created": "2026-11-21T08:00:00Z", "lastModified": "2026-11-21T09:00:00.5Z", "version": "W/\"3\"" },
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales", "employeeNumber": "42" },
    });
    value.as_object().unwrap().clone()
}

#[test]
fn a_filter_holds_or_not() {
    let schemas = Schemas::of(Resource::User);
    let check = |text: &str, expect: bool| {
        let filter = parse(text, &schemas).unwrap_or_else(|fault| panic!("{text}: {}", fault.detail));
        assert_eq!(filter.holds(&ann()), expect, "{text}");
    };
    check(r#"userName eq "ANN@acme.example""#, true);
    check(r#"USERNAME EQ "ann@acme.example""#, true);
    check(r#"externalId eq "e-1""#, false);
    check(r#"externalId eq "E-1""#, true);
    check(r#"userName ne "bob""#, true);
    check(r#"nickName ne "bob""#, true);
    check(r#"userName co "@ACME""#, true);
    check(r#"userName sw "ann""#, true);
    check(r#"userName ew ".example""#, true);
    check(r#"userName sw "nn""#, false);
    check(r#"displayName eq "Ann \"the\" Archer""#, true);
    check("nickName pr", false);
    check("title pr", true);
    check("name pr", true);
    check("emails pr", true);
    check("active eq true", true);
    check(r#"active eq "True""#, true);
    check("active ne true", false);
    check("nickName eq null", true);
    check("userName ne null", true);
    check("emails eq null", false);
    check(r#"emails co "home""#, true);
    check(r#"emails.type eq "work""#, true);
    check(r#"emails[type eq "work" and value ew "home.example"]"#, false);
    check(r#"emails[type eq "home" and value ew "home.example"]"#, true);
    check(r#"emails[not (type eq "work")]"#, true);
    check(r#"emails[primary eq true].value"#.trim_end_matches(".value"), true);
    check(r#"meta.created lt "2026-11-21T09:00:00+00:00""#, true);
    check(r#"meta.created ge "2026-11-21T09:00:00+01:00""#, true);
    check(r#"meta.lastModified gt "2026-11-21T09:00:00Z""#, true);
    check(r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ann""#, true);
    check(r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT eq "sales""#, true);
    check(r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department gt "rails""#, true);
    check(r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq 42"#, false);
    // `and` binds before `or`, brackets before both.
    check(r#"active eq true or active eq false and userName eq "x""#, true);
    check(r#"(active eq true or active eq false) and userName eq "x""#, false);
    check(r#"not (userName eq "x") and (active eq true)"#, true);
    check(r#"NOT(userName eq "x")AND(active eq true)"#, true);
    check(&format!("{}active eq true{}", "(".repeat(24), ")".repeat(24)), true);
}

#[test]
fn a_filter_that_says_nothing_is_refused() {
    let schemas = Schemas::of(Resource::User);
    let bombs = [
        format!("{}active eq true{}", "(".repeat(25), ")".repeat(25)),
        format!("{}active eq true{}", "not (".repeat(10_000), ")".repeat(10_000)),
        vec!["active eq true"; 65].join(" or "),
        format!("userName eq \"{}\"", "x".repeat(5_000)),
        "(".repeat(4_000),
        "emails[".repeat(500),
    ];
    let plain = [
        "",
        " ",
        "userName",
        "userName eq",
        "eq",
        "userName eq x",
        "userName is \"x\"",
        "enabled eq true",
        "userName eq \"x",
        "userName eq \"x\" and",
        "and",
        "(userName pr",
        "userName pr)",
        "userName pr pr",
        "not userName pr",
        "not",
        "emails[type eq \"work\"",
        "emails[]",
        "emails[emails[type eq \"x\"]]",
        "name eq \"x\"",
        "userName[value pr]",
        "active gt true",
        "active co \"r\"",
        "userName gt null",
        "meta.created gt \"yesterday\"",
        "userName eq 1.5",
        "userName eq \"\\q\"",
        "emails[type eq \"work\"].value eq \"x\"",
        "urn:foo:bar:userName pr",
        "username pr or",
        "userNameeq \"x\"",
        "userName eq\"x\"",
    ];
    for text in plain.into_iter().map(str::to_owned).chain(bombs) {
        let got = parse(&text, &schemas);
        assert!(got.is_err(), "{}: {got:?}", &text[..text.len().min(80)]);
        assert_eq!(got.unwrap_err().code, "scim-filter");
    }
}

/// How a filter is written, so that it reads back as itself.
fn written(filter: &Filter<'_>) -> String {
    use super::{Literal, Operator};
    let name = |place: &crate::scim::path::Place<'_>| {
        let urn = place.extension.map(|schema| format!("{}:", schema.urn)).unwrap_or_default();
        let part = place.part.map(|part| format!(".{}", part.name)).unwrap_or_default();
        format!("{urn}{}{part}", place.attribute.name)
    };
    match filter {
        Filter::And(a, b) => format!("({}) and ({})", written(a), written(b)),
        Filter::Or(a, b) => format!("({}) or ({})", written(a), written(b)),
        Filter::Not(a) => format!("not ({})", written(a)),
        Filter::Present(place) => format!("{} pr", name(place)),
        Filter::Some(place, inner) => format!("{}[{}]", name(place), written(inner)),
        Filter::Compare(place, operator, literal) => {
            let operator = match operator {
                Operator::Eq => "eq",
                Operator::Ne => "ne",
                Operator::Co => "co",
                Operator::Sw => "sw",
                Operator::Ew => "ew",
                Operator::Gt => "gt",
                Operator::Ge => "ge",
                Operator::Lt => "lt",
                Operator::Le => "le",
            };
            let literal = match literal {
                Literal::Text(text) => Value::from(text.as_str()).to_string(),
                Literal::Number(number) => number.to_string(),
                Literal::Flag(flag) => flag.to_string(),
                Literal::Null => "null".into(),
            };
            format!("{} {operator} {literal}", name(place))
        }
    }
}

fn filters() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("userName"),
        Just("externalId"),
        Just("name.familyName"),
        Just("emails"),
        Just("emails.type"),
        Just("active"),
        Just("nickName"),
        Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
    ];
    let operator = prop_oneof![Just("eq"), Just("ne"), Just("co"), Just("sw"), Just("GE"), Just("lt")];
    let text = "[a-zA-Z@ \\[\\]()\"\\\\é]{0,8}".prop_map(|text| Value::from(text).to_string());
    let literal = prop_oneof![text, Just("true".to_owned()), Just("null".to_owned()), Just("-7".to_owned())];
    let leaf = prop_oneof![
        (name.clone(), operator, literal).prop_map(|(n, o, l)| format!("{n} {o} {l}")),
        name.prop_map(|n| format!("{n} pr")),
        Just("emails[type eq \"work\" and not (value pr)]".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            inner.prop_map(|a| format!("not({a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_read_means_the_same_when_it_is_written_and_read_again(text in filters()) {
        let schemas = Schemas::of(Resource::User);
        if let Ok(filter) = parse(&text, &schemas) {
            let again = parse(&written(&filter), &schemas).unwrap();
            prop_assert_eq!(&again, &filter, "{}", text);
            let negated = format!("not ({})", written(&filter));
            prop_assert_eq!(parse(&negated, &schemas).unwrap().holds(&ann()), !filter.holds(&ann()));
        }
    }

    #[test]
    fn nothing_that_is_written_makes_the_reader_fall_over(text in "[a-zA-Z@ .:\\[\\]()\"\\\\é0-9$-]{0,80}") {
        let schemas = Schemas::of(Resource::User);
        let _ = parse(&text, &schemas);
        let _ = crate::scim::path::Path::parse(&text, &schemas);
    }

    #[test]
    fn nor_does_a_filter_that_was_spoilt(text in filters(), at in 0usize..200, with in "[\\[\\]()\" \\\\x]{0,3}") {
        let schemas = Schemas::of(Resource::User);
        let mut spoilt: Vec<char> = text.chars().collect();
        let at = at % (spoilt.len() + 1);
        spoilt.splice(at..(at + 1).min(spoilt.len()), with.chars());
        if let Ok(filter) = parse(&spoilt.iter().collect::<String>(), &schemas) {
            let _ = filter.holds(&ann());
        }
    }
}
