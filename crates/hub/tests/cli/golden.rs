//! Golden output: what changes from run to run becomes a placeholder.

use std::{fs, path::PathBuf};

use crate::world::Outcome;

/// Compares a transcript with `tests/golden/NAME.txt`.
#[allow(clippy::disallowed_methods, reason = "the one switch of these tests")]
pub fn check(name: &str, outcomes: &[&Outcome]) {
    let actual: String = outcomes.iter().map(|outcome| outcome.transcript()).collect::<Vec<_>>().join("\n");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("BAILIWICK_BLESS").is_some() {
        fs::write(&file, &actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == actual,
        "the output differs from {}; BAILIWICK_BLESS=1 writes it anew\n--- expected\n{expected}\n--- actual\n{actual}",
        file.display()
    );
}

/// `text` with ids, digests, times and ports as placeholders.
pub fn placeholders(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || "_:.-+/=".contains(c) {
            word.push(c);
            continue;
        }
        out.push_str(&placeholder(&word));
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    late(&out)
}

/// How late a departure was told follows from the day on which the test runs.
pub fn late(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("told late: ").and_then(|rest| rest.rsplit_once(", ")) {
        Some((heard, after)) if after.trim_end().ends_with(" after it") => {
            format!("told late: {heard}, SPAN after it{}", if after.ends_with('\n') { "\n" } else { "" })
        }
        Some(_) | None => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

fn placeholder(word: &str) -> String {
    let core = word.trim_end_matches(['.', ':']);
    let tail = &word[core.len()..];
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let changed = match core {
        _ if hex(core) && core.len() == 64 => "DIGEST".to_owned(),
        _ if hex(core) && core.len() == 16 => "KEY-ID".to_owned(),
        _ if core.len() == 44 && core.ends_with('=') => "ROOT".to_owned(),
        _ if is_instant(core) => "TIME".to_owned(),
        _ if core.starts_with("bailiwick.test/log+") => "LOG-KEY".to_owned(),
        _ if core.len() == 30 && core.as_bytes()[3] == b'_' => format!("{}_ID", &core[..3]),
        _ => ports(core),
    };
    format!("{changed}{tail}")
}

fn is_instant(text: &str) -> bool {
    text.len() >= 20
        && text.ends_with('Z')
        && text.as_bytes()[10] == b'T'
        && text[..4].bytes().all(|b| b.is_ascii_digit())
}

fn ports(word: &str) -> String {
    match word.split_once("127.0.0.1:") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}127.0.0.1:PORT{rest}")
        }
        None => word.to_owned(),
    }
}

#[test]
fn what_changes_becomes_a_placeholder_and_nothing_else_does() {
    let check = |text: &str, expect: &str| assert_eq!(placeholders(text), expect);
    check("plan pln_01jd3v8k5mfa8rsw1r2q9n6x4e, joiner", "plan pln_ID, joiner");
    check("until 2026-11-21T03:04:05Z.", "until TIME.");
    check("http://127.0.0.1:7461/chat `x`", "http://127.0.0.1:PORT/chat `x`");
    check(&format!("digest {}", "0a".repeat(32)), "digest DIGEST");
    check(
        "told late: heard of 2026-11-21T03:04:05Z, 3d 4h after it\nx",
        "told late: heard of TIME, SPAN after it\nx",
    );
    check("line 3: the key `1042` is on lines 3 and 4", "line 3: the key `1042` is on lines 3 and 4");
}
