//! What a test program without the usual harness is told.

/// The value after a flag.
pub fn argument(all: &[String], name: &str) -> Option<u64> {
    let at = all.iter().position(|argument| argument == name)?;
    all.get(at + 1)?.parse().ok()
}

/// Whether the test of this name has nothing to do. As with the usual harness: when tests are listed, or others were named.
pub fn spared(all: &[String], name: &str) -> bool {
    let another = |argument: &String| {
        !argument.starts_with("--") && argument.parse::<u64>().is_err() && argument != name
    };
    all.iter().any(|argument| argument == "--list" || another(argument))
}
