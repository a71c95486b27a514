//! Every command that somebody is told to run can be run: its words and its options are in the command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::FAMILIES;
use crate::cli::definition;

/// The rest of a line behind each `bailiwick ` that begins a command, up to what closes it.
fn commands(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        for (at, name) in line.match_indices("bailiwick ") {
            let (before, rest) = (&line[..at], &line[at + name.len()..]);
            // In prose the word is the name of the program, and in a path a folder.
            let end = match before.chars().last() {
                Some('`') => rest.find('`'),
                None => Some(rest.find(" #").unwrap_or(rest.len())),
                Some('$' | ' ') if before.ends_with("$ ") => Some(rest.len()),
                Some(_) => continue,
            };
            found.extend(end.map(|end| &rest[..end]));
        }
    }
    found
}

/// What of the command does not exist, if anything does not.
fn wrong(line: &clap::Command, command: &str) -> Option<String> {
    let mut at = line;
    let mut words = command.split_whitespace().map(|word| word.trim_end_matches([',', ';', '\\'])).peekable();
    while let Some(word) = words.next_if(|word| !word.starts_with('-') && at.has_subcommands()) {
        at = match at.find_subcommand(word) {
            Some(inner) => inner,
            // What stands for a word of theirs, such as `…`, says nothing.
            None if !word.starts_with(|c: char| c.is_ascii_alphanumeric()) => return None,
            None => return Some(format!("there is no command `{word}` in `bailiwick {command}`")),
        };
    }
    let long = |name: &str| {
        let known = at.get_arguments().chain(line.get_arguments());
        matches!(name, "help" | "version") || known.filter_map(|arg| arg.get_long()).any(|long| long == name)
    };
    let mut options = words.filter_map(|word| word.strip_prefix("--"));
    let unknown = options.find(|option| !long(option.split('=').next().unwrap_or_default()))?;
    Some(format!("there is no option `--{unknown}` in `bailiwick {command}`"))
}

/// The pages for people below `path`.
fn pages(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| pages(&entry.unwrap().path(), found));
    } else if path.extension().is_some_and(|extension| extension == "md") {
        found.push(path.to_owned());
    }
}

#[test]
fn what_is_wrong_with_a_command_is_found() {
    let line = definition();
    assert_eq!(
        commands("run `bailiwick plan show`, not bailiwick kick\n$ bailiwick blast x\nbailiwick why a # b"),
        ["plan show", "blast x", "why a"]
    );
    for right in
        ["plan list --state drafted", "--version", "approve PLAN --json", "integration …", "review list"]
    {
        assert_eq!(wrong(&line, right), None);
    }
    for (command, word) in [("plan lst", "`lst`"), ("plans", "`plans`"), ("plan show --diff", "`--diff`")] {
        assert!(wrong(&line, command).is_some_and(|told| told.contains(word)), "{command}");
    }
}

#[test]
fn every_command_that_is_named_can_be_run() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    // The scenarios are run as they are.
    for folder in ["docs", "examples"] {
        pages(&root.join(folder), &mut files);
    }
    let mut texts: Vec<(String, String)> = FAMILIES
        .iter()
        .copied()
        .flatten()
        .map(|(code, meaning, help)| (format!("help of {code}"), format!("{meaning}\n{help}")))
        .collect();
    texts.extend(files.iter().map(|file| (file.display().to_string(), fs::read_to_string(file).unwrap())));
    // What messages and examples in the sources say.
    super::tests::messages(&mut texts);
    let line = definition();
    let mut count = 0;
    let wrongs: Vec<String> = texts
        .iter()
        .flat_map(|(place, text)| commands(text).into_iter().map(move |command| (place, command)))
        .inspect(|_| count += 1)
        .filter_map(|(place, command)| Some(format!("{place}: {}", wrong(&line, command)?)))
        .collect();
    assert!(count > 150, "only {count} commands were found");
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}
