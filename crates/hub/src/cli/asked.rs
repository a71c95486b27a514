//! What a plan about the hub itself asks for, so that whoever approves it reads what they approve.

use bailiwick_core::{
    exception::{Because, Terms},
    govern::declared_value,
    join::{Act, Fate, Joint},
    plan::{Governs, Op, Plan},
    stay::Stay,
};
use serde_json::Value;

use crate::span;

/// How wide a line may be before its value is taken apart.
const WIDTH: usize = 100;

/// How many minutes a day has.
const MINUTES_A_DAY: u32 = 24 * 60;

/// The question that the plan asks; `None` for a plan of access that policies give.
pub fn question(plan: &Plan) -> Option<String> {
    let hub = |governs: &Governs| {
        format!("{} for {}, which is {}", governs.question.as_str(), governs.subject, governs.class)
    };
    let exception = |terms: &Terms| {
        let names: Vec<&str> = terms.entitlements.iter().map(|name| name.as_str()).collect();
        match &terms.because {
            Because::BreakGlass { case, reason } => {
                format!("break-glass `{case}` for {} minutes: {reason}", terms.minutes)
            }
            Because::Asked { reason } => {
                let time = span::show(i64::from(terms.minutes) * 60_000);
                format!("{} for {time}: {reason}", names.join(", "))
            }
            Because::Undo { plan, reason } => {
                let time = span::show(i64::from(terms.minutes) * 60_000);
                format!("{} back for {time}, undoing {plan}: {reason}", names.join(", "))
            }
            Because::Found { .. } => format!(
                "may {} stay for {} days? it was found there and nobody decided it",
                names.join(", "),
                terms.minutes / MINUTES_A_DAY
            ),
            Because::Lost { system, whole: true } => format!(
                "may they have nothing on {system} for {} days? somebody else blocked or removed the account there",
                terms.minutes / MINUTES_A_DAY
            ),
            Because::Lost { whole: false, .. } => format!(
                "may {} stay away for {} days? somebody else took it away there",
                names.join(", "),
                terms.minutes / MINUTES_A_DAY
            ),
        }
    };
    let joint = |joint: &Joint| match joint.act {
        Act::Join => format!("is {} the same person: {}", joint.key, joint.reason),
        Act::Split => format!("is {} somebody else: {}", joint.key, joint.reason),
    };
    let asked = plan.governs.as_ref().map(hub).or(plan.exception.as_ref().map(exception));
    let stay = |stay: &Stay| {
        let ends: Vec<String> =
            stay.ends.iter().map(|(key, end)| format!("{:.0} said by {key}", end.at)).collect();
        format!("do they stay beyond {}: {}", ends.join(", "), stay.reason)
    };
    asked.or(plan.joint.as_ref().map(joint)).or(plan.stay.as_ref().map(stay))
}

/// What the one that stays has when two identities are joined or split, and what becomes of each account, line by line.
pub fn joint(plan: &Plan, joint: &Joint) -> Vec<String> {
    let other = &joint.key;
    let fate = |fate: Fate| match fate {
        Fate::Comes => "is this identity's from now on".to_owned(),
        Fate::Ends => format!("of {other} is ended: this identity has another there"),
        Fate::Yields => format!("is ended: the one of {other} is kept"),
        Fate::Rests => format!("of {other} is not in use, and stays as it is"),
        Fate::Goes => format!("goes to {other}"),
        Fate::Stays => "stays".to_owned(),
        Fate::Theirs => format!("is of {other}, as before"),
    };
    let beside = joint.beside.iter().map(|change| format!("besides {change} for {other}"));
    let accounts = joint.accounts.iter();
    let accounts = accounts.map(|line| format!("{}/{} {}", line.system, line.username, fate(line.fate)));
    let has = plan.decision.desired.iter().map(|(system, desired)| {
        let held: Vec<&str> = desired.entitlements.keys().map(|name| name.as_str()).collect();
        let held = if held.is_empty() { "the account".to_owned() } else { held.join(", ") };
        format!("then has {held} on {system}")
    });
    has.chain(accounts.map(|line| format!("account {line}"))).chain(beside).collect()
}

/// What a change of the plan declares, line by line; nothing of what is personal to people.
pub fn declared(plan: &Plan, op: &Op) -> Vec<String> {
    let Some(governs) = &plan.governs else { return Vec::new() };
    let attributes = match op {
        Op::CreateAccount { attributes, .. } | Op::SetAttributes { attributes } => attributes,
        Op::Enable
        | Op::Disable { .. }
        | Op::Delete
        | Op::Grant { .. }
        | Op::Revoke { .. }
        | Op::RevokeAll { .. } => return Vec::new(),
    };
    let mut lines = Vec::new();
    for (name, declared) in attributes {
        match plan.certifies().filter(|_| name == "authority") {
            Some(authority) => {
                lines.extend(authority.explain(&governs.subject).iter().map(|way| format!("can {way}")));
            }
            None => say(name, &declared_value(&declared.to_string()), &mut lines),
        }
    }
    lines
}

fn say(name: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('\n') => {
            lines.push(format!("{name}:"));
            lines.extend(text.lines().map(|line| format!("  {line}")));
        }
        Value::String(text) => lines.push(format!("{name}: {text}")),
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(member, value)| say(&format!("{name}.{member}"), value, lines));
        }
        Value::Array(items) if format!("{name}: {value}").chars().count() > WIDTH => {
            lines.push(format!("{name}:"));
            let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            lines.extend(items.iter().map(|item| format!("  {}", text(item))));
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            lines.push(format!("{name}: {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_read_whole() {
        let check = |text: &str, expect: &[&str]| {
            let mut lines = Vec::new();
            say("x", &declared_value(text), &mut lines);
            assert_eq!(lines, expect, "{text}");
        };
        check("hr/5", &["x: hr/5"]);
        check("true", &["x: true"]);
        check("one\ntwo", &["x:", "  one", "  two"]);
        check(r#"{"a":{"b":["c"]},"d":"e\nf"}"#, &[r#"x.a.b: ["c"]"#, "x.d:", "  e", "  f"]);
        let long = "y".repeat(WIDTH);
        check(&format!(r#"{{"rules":["{long}",1]}}"#), &["x.rules:", &format!("  {long}"), "  1"]);
    }
}
