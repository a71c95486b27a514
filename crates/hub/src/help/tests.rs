//! Every code has a line, every line has a code, and `docs/errors.md` says what the lines say.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::{FAMILIES, Line, of};

/// The rooms whose codes reach a person; of the lab's, only the errors of its command line do.
const ROOMS: [&str; 8] = [
    "connector/src",
    "connectors/src",
    "core/src",
    "engine/src",
    "evidence/src",
    "hub/src",
    "lab/src/spec.rs",
    "store/src",
];

/// What stands before a code in a source without white space.
const BEFORE: [&str; 12] = [
    "with_detail(\"",
    "Failure::usage(\"",
    "Failure::refused(\"",
    "Failure::unreachable(\"",
    "Fault::new(\"",
    "Damage::new(\"",
    "self.fault(\"",
    "self.fault(row,\"",
    "rename=\"config-",
    "code:\"",
    "Evidence(\"log-",
    "Evidence(format!(\"log-",
];

fn crates() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn lines() -> Vec<Line> {
    let mut lines: Vec<Line> = FAMILIES.iter().copied().flatten().copied().collect();
    lines.sort_unstable();
    lines
}

/// The sources below `path` without their tests.
fn sources(path: &Path, out: &mut Vec<String>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_dir() {
        if !matches!(name.as_str(), "testkit" | "tests" | "help") {
            let mut below: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
            below.sort();
            below.iter().for_each(|path| sources(path, out));
        }
    } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
        let text = fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        out.push(
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n"),
        );
    }
}

/// The sources, for what their messages tell people to do.
pub(super) fn messages(out: &mut Vec<(String, String)>) {
    for room in ROOMS {
        let mut texts = Vec::new();
        sources(&crates().join(room), &mut texts);
        // A text that goes on in the next line is one text.
        out.extend(texts.into_iter().map(|text| (room.to_owned(), joined(&text))));
    }
}

/// A source with each text in one line.
fn joined(source: &str) -> String {
    let mut out = String::new();
    for line in source.lines() {
        match out.strip_suffix('\\') {
            Some(before) => out = before.to_owned() + line.trim_start(),
            None => out = out + "\n" + line,
        }
    }
    out
}

fn is_code(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The codes that a source can answer with.
fn codes(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        if is_code(text) {
            found.insert(text.to_owned());
        }
    };
    let dense: String = source.chars().filter(|c| !c.is_whitespace()).collect();
    for before in BEFORE {
        for (at, _) in dense.match_indices(before) {
            let begin = at + before.find('"').unwrap_or_default() + 1;
            add(dense[begin..].split(['"', ':']).next().unwrap_or_default());
        }
    }
    // `Problem::new(404, "not-found", …)`
    for (at, before) in dense.match_indices("Problem::new(") {
        let rest = dense[at + before.len()..].trim_start_matches(|c: char| c.is_alphanumeric());
        add(rest.strip_prefix(",\"").and_then(|rest| rest.split('"').next()).unwrap_or_default());
    }
    // `("row-changed", format!(…))`
    for (at, _) in dense.match_indices("\",format!(") {
        let (before, code) = dense[..at].rsplit_once('"').unwrap_or_default();
        if before.ends_with('(') && code.contains('-') {
            add(code);
        }
    }
    // `let code = if … { "one" } else { "other" };`
    for (at, _) in dense.match_indices("letcode=") {
        let statement = dense[at..].split(';').next().unwrap_or_default();
        statement.split("{\"").skip(1).filter_map(|rest| rest.split('"').next()).for_each(&mut add);
    }
    // The bodies of `fn code`.
    for (at, _) in source.match_indices("fn code(") {
        let body = source[at..].split("\n    }").next().unwrap_or_default();
        body.split('"').skip(1).step_by(2).for_each(&mut add);
    }
    found
}

fn generated() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
        Every error and finding has a stable code; the message says what happened this time. This page is\n\
        generated from `crates/hub/src/help`: `BAILIWICK_BLESS=1 cargo test -p bailiwick-hub help` writes it.\n\n\
        | code | what it means | what to do |\n|---|---|---|\n",
    );
    for (code, meaning, help) in lines() {
        writeln!(page, "| <a id=\"{code}\"></a>`{code}` | {meaning} | {help} |").unwrap();
    }
    page
}

#[test]
fn the_codes_of_a_source_are_found() {
    let check = |source: &str, expect: &[&str]| {
        assert_eq!(codes(source), expect.iter().map(ToString::to_string).collect(), "{source}");
    };
    check("Failure::usage(\n    \"one-code\",\n    format!(\"x\"))", &["one-code"]);
    check("Problem::new(404, \"not-found\", \"no\")", &["not-found"]);
    check("Problem::new(status, code, detail)", &[]);
    check("let code = if big { \"too-large\" } else { \"malformed\" };", &["malformed", "too-large"]);
    check("How::Edited => (\"row-changed\", format!(\"row\"))", &["row-changed"]);
    check("Evidence(\n  \"log-busy: another\".into())", &["log-busy"]);
    check("    fn code(&self) {\n        A => \"a-b\",\n    }\n    x(\"no-code\")", &["a-b"]);
}

#[test]
fn each_code_has_one_line_and_each_line_has_a_code() {
    let mut texts = Vec::new();
    ROOMS.iter().for_each(|room| sources(&crates().join(room), &mut texts));
    let found: BTreeSet<String> = texts.iter().flat_map(|text| codes(text)).collect();
    let lines = lines();
    let known: BTreeSet<String> = lines.iter().map(|(code, _, _)| (*code).to_owned()).collect();
    assert_eq!(lines.len(), known.len(), "a code has two lines");
    let unexplained: Vec<_> = found.difference(&known).collect();
    assert!(unexplained.is_empty(), "no line in src/help for {unexplained:?}");
    // A code that stands in a constant, or is handed on before it is answered with, is at least written somewhere.
    let written = |code: &str| texts.iter().any(|text| text.contains(&format!("\"{code}\"")));
    let idle: Vec<_> = known.difference(&found).filter(|code| !written(code)).collect();
    assert!(idle.is_empty(), "nothing answers with {idle:?}");
}

#[test]
fn a_line_says_something_that_a_table_can_hold() {
    for (code, meaning, help) in lines() {
        assert!(is_code(code), "{code}");
        assert_eq!(of(code), Some(help));
        for text in [meaning, help] {
            assert!(text.len() > 5 && !text.contains(['|', '\n']) && !text.ends_with('.'), "{code}: {text}");
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the one switch of these tests")]
fn the_page_is_as_generated() {
    let file = crates().join("../docs/errors.md");
    let page = generated();
    if std::env::var_os("BAILIWICK_BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/errors.md is not as generated; BAILIWICK_BLESS=1 writes it anew");
}
