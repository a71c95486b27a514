//! The figures as Prometheus reads them, with its own parser, against what the command says.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::world::{World, tool};

/// Parses what is on standard input as Prometheus does, and prints each sample with its type.
const PARSER: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families
samples = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation and family.type != "unknown", family
    for sample in family.samples:
        key = " ".join([sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))])
        assert key not in samples, key
        samples[key] = sample.value
print(json.dumps(samples))
"#;

fn parsed(text: &[u8]) -> Value {
    let mut python = Command::new(tool("python3"))
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(text));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn prometheus_reads_what_the_command_says() {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let figures = world.run(&["metrics", "--json"]).well().json();
    let samples = parsed(&world.fetch("/metrics"));
    let sample = |key: &str| samples[key].as_f64().unwrap_or_else(|| panic!("no `{key}` in {samples:#}"));
    let cases = world.run(&["case", "list", "--json"]).well().json();
    let cases = cases.as_array().unwrap();
    let closed = cases.iter().filter(|case| case.get("closed").is_some()).count() as f64;
    for measured in figures["measures"].as_array().unwrap() {
        let name = measured["measure"].as_str().unwrap();
        assert!(name != "first-kill" || measured["within"].as_u64().unwrap() > 0, "{figures:#}");
        assert_eq!(
            sample(&format!("bailiwick_departures measure={name} state=in-time")),
            measured["within"].as_f64().unwrap()
        );
        assert_eq!(sample(&format!("bailiwick_departures measure={name} state=late")), 0.0);
        let count = sample(&format!("bailiwick_departure_seconds_count measure={name}"));
        assert_eq!(sample(&format!("bailiwick_departure_seconds_bucket le=+Inf measure={name}")), count);
        assert_eq!(count, closed, "of cases that were closed");
    }
    assert_eq!(sample("bailiwick_records_total kind=case-opened"), cases.len() as f64);
    let still = figures["residual"]["still"].as_array().unwrap().len() as f64;
    assert_eq!(sample("bailiwick_residual_cases"), still);
    assert_eq!(sample("bailiwick_work_failing"), 0.0);
    assert!(sample("bailiwick_work_behind_seconds") < 5.0, "it keeps up");
    for scope in figures["scopes"].as_array().unwrap() {
        let key = format!("bailiwick_scope_rules integration={}", scope["integration"].as_str().unwrap());
        assert_eq!(sample(&key), scope["declared"].as_f64().unwrap());
    }
    // It takes a token, as everything does.
    assert!(world.answer_to("/metrics", None).starts_with("HTTP/1.1 401"));
    world.run(&["metrics", "--since", "yesterday"]).refused(1, "request-malformed", "`yesterday`");
    world.run(&["trace", "hr/none"]).refused(1, "not-found", "hr/none");
}
