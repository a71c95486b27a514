//! What others call things gets into a page as text: nothing is exempt from escaping but what is listed here.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The sources that make markup by hand; each escapes what is put into it, and has a test of that.
const BY_HAND: [&str; 2] = ["graph.rs", "show.rs"];

/// The files of a folder of this crate, with their texts.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn no_template_lets_a_value_be_markup() {
    let templates = files("templates");
    assert!(templates.len() > 20);
    for (path, text) in templates {
        for wrong in ["|safe", "| safe", "escape(", "autoescape", "javascript:", " style=", "srcdoc"] {
            assert!(!text.contains(wrong), "{}: `{wrong}`", path.display());
        }
        // A value that is not in quotes ends at a space; and no handler of an event stands in a page.
        for (at, _) in text.match_indices("={{") {
            let tag = text[..at].rsplit('<').next().unwrap_or_default();
            let quoted = tag.matches('"').count() % 2 == 1;
            assert!(quoted, "{}: a value without quotes: <{tag}", path.display());
        }
        let handlers = text.split_whitespace().filter(|word| word.starts_with("on") && word.contains("=\""));
        assert_eq!(handlers.collect::<Vec<_>>(), [""; 0], "{}", path.display());
    }
}

#[test]
fn markup_is_made_by_hand_only_where_it_is_escaped() {
    let exempt = concat!("impl Html", "Safe for");
    let by_hand: Vec<String> = files("src/console")
        .into_iter()
        .filter(|(_, text)| text.contains(exempt))
        .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(by_hand, BY_HAND);
}
