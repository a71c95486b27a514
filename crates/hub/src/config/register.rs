//! Reads what is on record of an integration: boundary, flows, vendor, callbacks, declared class.
//!
//! What a vendor assures is read as unverified, always: only a test can back it, never a file.

use std::collections::BTreeSet;

use bailiwick_core::{
    authority::Class,
    integration::{Assurance, Register},
};

use super::{
    endpoint,
    error::{Code, Report},
    fields::{Fields, Located},
};

/// Reads the register. `None` when something of it is wrong; what is missing is noted in `fields`.
pub(super) fn register(fields: &mut Fields<'_, '_>, report: &mut Report) -> Option<Register> {
    let boundary = fields.needed_text("boundary", report).map(|t| t.value.to_owned());
    let data_flows = words(fields.needed_texts("data_flows", report), "data_flows", report);
    let privilege_flows = words(fields.needed_texts("privilege_flows", report), "privilege_flows", report);
    let vendor = fields.needed_text("vendor", report).map(|t| t.value.to_owned());
    let assurances = words(fields.texts("assurances", report).unwrap_or_default(), "assurances", report);
    let callbacks = callbacks(fields, report);
    let class = match fields.text("class", report) {
        Some(text) => Some(class(text, report)?),
        None => None,
    };
    Some(Register {
        boundary: boundary?,
        data_flows: data_flows?,
        privilege_flows: privilege_flows?,
        vendor: vendor?,
        assurances: assurances?.into_iter().map(|claim| Assurance { claim, tested: None }).collect(),
        callbacks: callbacks?,
        class,
    })
}

/// The texts, none of them blank.
fn words(texts: Vec<Located<'_, &str>>, key: &str, report: &mut Report) -> Option<Vec<String>> {
    let blank: Vec<_> = texts.iter().filter(|text| text.value.trim().is_empty()).collect();
    for text in &blank {
        report.add(
            Code::Value,
            text.spot,
            format!("an entry of `{key}` is blank; write it, or leave it out"),
        );
    }
    blank.is_empty().then(|| texts.iter().map(|text| text.value.to_owned()).collect())
}

fn callbacks(fields: &mut Fields<'_, '_>, report: &mut Report) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut sound = true;
    for text in fields.texts("callbacks", report).unwrap_or_default() {
        sound &= endpoint::callback(text, report);
        if !seen.insert(text.value.to_owned()) {
            report.add(Code::Duplicate, text.spot, format!("the callback `{}` is given twice", text.value));
        }
    }
    sound.then(|| seen.into_iter().collect())
}

fn class(text: Located<'_, &str>, report: &mut Report) -> Option<Class> {
    let classes = [Class::Advisory, Class::Operational, Class::Authoritative];
    let class = classes.into_iter().find(|class| class.as_str() == text.value);
    if class.is_none() {
        let names = classes.map(Class::as_str);
        let message = format!("`{}` is not a class; write one of {}", text.value, names.join(", "));
        report.add_near(Code::Value, text.spot, message, text.value, names);
    }
    class
}
