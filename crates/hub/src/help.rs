//! What to do about an error, by its code. A code without a line here explains itself in its message.

/// The help for a code.
pub fn of(code: &str) -> Option<&'static str> {
    HELP.iter().find(|(known, _)| *known == code).map(|(_, help)| *help)
}

/// Code and help, by code.
const HELP: &[(&str, &str)] = &[
    ("already-initialised", "start it with `bailiwick serve --data DIR`, or name another folder"),
    (
        "answer-not-understood",
        "check with `bailiwick --version` that hub and command line are of the same version",
    ),
    ("approval-by-beneficiary", "ask another approver"),
    ("approval-by-requester", "ask another approver"),
    (
        "approval-digest-mismatch",
        "look at the plan again with `bailiwick plan show`, then approve what you saw",
    ),
    ("approval-not-allowed", "ask somebody whom a policy with the action `approve` lets approve it"),
    ("configuration-changed", "run `bailiwick apply` again and look at the new diff"),
    ("confirmation-needed", "look at the diff, then run the same with `--yes`"),
    ("credential-refused", "set a valid one with `bailiwick credential set INTEGRATION write`"),
    (
        "feed-too-few-rows",
        "nothing was changed and nobody loses access; get the complete file and import it again",
    ),
    (
        "feed-too-much-change",
        "nothing was changed; if it is right, raise `max_change_percent` in the contract of the source",
    ),
    (
        "feed-too-much-loss",
        "nothing was changed and nobody loses access; get the complete file and import it again",
    ),
    ("feed-duplicate-key", "nothing was changed; remove one of the records at the source and import again"),
    ("hub-unreachable", "is it running? start it with `bailiwick serve`"),
    (
        "integration-quarantined",
        "look at the finding, mend the cause, then `bailiwick integration release NAME`",
    ),
    ("key-file-missing", "restore it from your backup, or name it with BAILIWICK_KEY_FILE"),
    ("key-file-mode", "run `chmod 600` on it; if others could read it, make a new key"),
    ("key-file-open", "run `chmod 600` on it"),
    ("key-wrong", "use the key file that this store was set up with, with BAILIWICK_KEY_FILE or `DIR/key`"),
    ("no-data-folder", "set one up with `bailiwick init`, or name another with `--data DIR`"),
    ("no-credential", "set it with `bailiwick credential set INTEGRATION write`"),
    ("no-profile", "set up a hub with `bailiwick init`, or name the profile with `--profile FILE`"),
    ("not-allowed", "ask an operator with that role; `bailiwick operator list` shows who has which"),
    ("pack-truncated", "the file is cut off; get a complete copy"),
    ("port-in-use", "stop the other program, or choose another address with `--listen HOST:PORT`"),
    ("profile-exists", "keep it by naming another with `--profile FILE`"),
    ("profile-open", "run `chmod 600` on it"),
    ("store-newer", "use the program that made it, or a newer one"),
    ("store-unavailable", "check that the file or server is there and that you may use it"),
    ("system-unreachable", "check the address in the integration's `endpoint` and that the system is up"),
    (
        "token-refused",
        "the token is not known or expired; an operator with the role `admin` makes a new one with `bailiwick operator add`",
    ),
];

#[cfg(test)]
mod tests {
    #[test]
    fn each_code_has_one_help() {
        let mut codes: Vec<&str> = super::HELP.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
