//! Reads what an integration may do: calls, acts, limits, budgets.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    authority::Touch,
    id::EntitlementName,
    limit::{Limit, Population},
    scope::{Scope, ScopeRule},
};

use super::{
    error::{Code, Report},
    fields::{Fields, Located},
    json,
};

/// The names that a scope uses, for looking whether something bears them.
#[derive(Default)]
pub(super) struct Named<'t> {
    /// The calls that it allows.
    pub rules: Vec<Located<'t, ScopeRule>>,
    /// What it does by itself.
    pub acts: Vec<Located<'t, Touch>>,
    /// Attributes of accounts and identities.
    pub attributes: Vec<Located<'t, String>>,
    /// Attributes of identities.
    pub population: Vec<Located<'t, String>>,
    /// Entitlements.
    pub entitlements: Vec<Located<'t, EntitlementName>>,
}

/// Reads a scope. An integration that the hub calls for must say which calls (`called`); one that acts by
/// itself must say what it does. A text that is wrong is reported and left out: the configuration is refused.
pub(super) fn scope<'t>(
    fields: &mut Fields<'_, 't>,
    called: bool,
    report: &mut Report,
) -> (Scope, Named<'t>) {
    let mut named = Named::default();
    let rules = if called {
        fields.needed_texts("scope", report)
    } else {
        fields.texts("scope", report).unwrap_or_default()
    };
    let acts = if called {
        fields.texts("acts", report).unwrap_or_default()
    } else {
        fields.needed_texts("acts", report)
    };
    named.rules = distinct(rules, report);
    named.acts = distinct(acts, report);
    let attributes = fields.texts("attributes", report);
    let entitlements = fields.texts("entitlements", report);
    named.attributes = attributes.iter().flatten().map(owned).collect();
    named.entitlements = distinct(entitlements.clone().unwrap_or_default(), report);
    let (population, of) = population(fields, report);
    named.population = of;
    let most = u64::from(u32::MAX);
    let mut number = |key, least, most| fields.number(key, least, most, report);
    let scope = Scope {
        rules: named.rules.iter().map(|rule| rule.value.clone()).collect(),
        acts: named.acts.iter().map(|act| act.value.clone()).collect(),
        attributes: limit(attributes.map(|_| named.attributes.iter().map(|a| a.value.clone()))),
        entitlements: limit(entitlements.map(|_| named.entitlements.iter().map(|e| e.value.clone()))),
        population,
        writes_per_minute: number("writes_per_minute", 1, most).and_then(|n| u32::try_from(n).ok()),
        objects_per_run: number("objects_per_run", 1, most).and_then(|n| u32::try_from(n).ok()),
        population_percent: number("population_percent", 1, 100).and_then(|n| u8::try_from(n).ok()),
        privileged_per_day: number("privileged_per_day", 0, most).and_then(|n| u32::try_from(n).ok()),
    };
    (scope, named)
}

fn owned<'t>(text: &Located<'t, &str>) -> Located<'t, String> {
    Located { value: text.value.to_owned(), spot: text.spot }
}

fn limit<T: Ord>(only: Option<impl Iterator<Item = T>>) -> Limit<T> {
    only.map_or(Limit::Any, |these| Limit::Only(these.collect()))
}

/// What the texts say, each once; the others go to the report.
fn distinct<'t, T>(texts: Vec<Located<'t, &str>>, report: &mut Report) -> Vec<Located<'t, T>>
where
    T: std::str::FromStr<Err: std::fmt::Display> + PartialEq + std::fmt::Display,
{
    let mut read: Vec<Located<'t, T>> = Vec::new();
    for text in texts {
        match text.value.parse::<T>() {
            Ok(value) if read.iter().any(|known| known.value == value) => {
                report.add(Code::Duplicate, text.spot, format!("`{value}` is given twice"));
            }
            Ok(value) => read.push(Located { value, spot: text.spot }),
            Err(error) => report.add(Code::Value, text.spot, error.to_string()),
        }
    }
    read
}

/// `population = { department = ["Sales", "Support"] }`.
fn population<'t>(
    fields: &mut Fields<'_, 't>,
    report: &mut Report,
) -> (Population, Vec<Located<'t, String>>) {
    let mut population = BTreeMap::new();
    let mut named = Vec::new();
    for entry in fields.entries("population", report) {
        let name = entry.key.value;
        named.push(owned(&entry.key));
        let values = match json::plain(entry.value.get_ref()) {
            serde_json::Value::Array(items) => items
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<BTreeSet<String>>>()
                .filter(|values| !values.is_empty()),
            _ => None,
        };
        match values {
            Some(values) => drop(population.insert(name.to_owned(), values)),
            None => {
                let spot = entry.key.spot.at(entry.value.span().start);
                let message = format!("`{name}` of the population is a list of texts, such as `[\"Sales\"]`");
                report.add(Code::Value, spot, message);
            }
        }
    }
    (Population(population), named)
}
