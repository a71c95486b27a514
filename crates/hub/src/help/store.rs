//! Codes of the store and of key files.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "key-file-exists",
        "there is a key file in this place already",
        "keep it: without it the credentials in the store cannot be opened",
    ),
    (
        "key-file-format",
        "the file does not hold a key",
        "restore it from your backup, or name the right one with BAILIWICK_KEY_FILE",
    ),
    (
        "key-file-missing",
        "there is no key file",
        "restore it from your backup, or name it with BAILIWICK_KEY_FILE",
    ),
    (
        "key-file-mode",
        "others can read the key file",
        "run `chmod 600` on it; if others could read it, make a new key",
    ),
    ("key-file-open", "others can read the file with the key of the log", "run `chmod 600` on it"),
    ("key-file-unreadable", "the key file cannot be read", "check its path and that you may read it"),
    (
        "key-wrong",
        "the key file is not the one that the credentials are sealed with",
        "use the key file that this store was set up with, with BAILIWICK_KEY_FILE or `DIR/key`",
    ),
    ("lost-lease", "another hub took the work over", "nothing; the other one goes on"),
    (
        "seal-context",
        "a sealed credential was moved to another integration",
        "set it again with `bailiwick credential set`, and find out who moved it",
    ),
    ("seal-form", "a sealed credential is damaged", "set it again with `bailiwick credential set`"),
    (
        "seal-wrong-key",
        "a credential is sealed with another key",
        "use the key file that this store was set up with",
    ),
    (
        "store-aborted",
        "the transaction was given up after an earlier fault",
        "try again; nothing was changed",
    ),
    (
        "store-address",
        "the address of the store is not understood",
        "give a path, or `postgres://USER@HOST/DATABASE`",
    ),
    (
        "store-conflict",
        "somebody else changed the same thing at the same time",
        "look at it again, then try again; nothing was changed",
    ),
    (
        "store-foreign",
        "the database is of another program",
        "name another one with `--store`; it was left as it is",
    ),
    (
        "store-inconsistent",
        "a row in the store is not understood",
        "run `bailiwick evidence check`, and restore the database from a backup if it finds damage",
    ),
    (
        "store-internal",
        "the store failed in a way that must not happen",
        "look at the hub's log and report it",
    ),
    ("store-newer", "a newer program has used this database", "use the program that made it, or a newer one"),
    (
        "store-unavailable",
        "the store cannot be reached",
        "check that the file or server is there and that you may use it",
    ),
];
