//! Codes of the store and of key files.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "backup-by-server",
        "the store is no SQLite file, so its server has the tools that back it up",
        "use `pg_dump` or what your server offers; `bailiwick restore --store STORE` goes on from what it restored",
    ),
    (
        "backup-damaged",
        "a file of the backup is not what was backed up",
        "take another backup; this one was changed or broke",
    ),
    (
        "backup-form",
        "the list of files of a backup is not understood",
        "use the program that made it, or take another backup",
    ),
    (
        "backup-missing",
        "the folder holds no backup, or one that was never finished",
        "name the folder that `bailiwick backup` made",
    ),
    ("backup-unreadable", "a file of the backup cannot be read", "check that you may read it"),
    (
        "backup-unwritable",
        "the backup cannot be written",
        "name a folder that is not there yet, in one that you may write to, with room for it",
    ),
    (
        "hub-restored",
        "the hub goes on from a backup, so it decides and plans and changes no system",
        "look at `bailiwick recovery show` and at its plans, then run `bailiwick recovery release --reason TEXT`",
    ),
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
        "the key file is not the one that this store was set up with",
        "use the key file that this store was set up with, with BAILIWICK_KEY_FILE or `DIR/key`",
    ),
    (
        "log-key-wrong",
        "the key of the log is not the one that the store's log is signed with",
        "use the `log-key` of the node that was there first; every node of a hub has the same",
    ),
    ("lost-lease", "another hub took the work over", "nothing; the other one goes on"),
    (
        "nothing-to-join",
        "the database holds no hub that a node could join",
        "set it up with `bailiwick init --store STORE` first, and check the address",
    ),
    (
        "restore-unseen",
        "something was not looked at since the restore, so what is planned may rest on old knowledge",
        "have it compared or delivered, renew or end the token; where that cannot be, release it with `--anyway`",
    ),
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
        "store-not-shared",
        "a node can join a hub on PostgreSQL only",
        "give its address, `postgres://USER@HOST/DATABASE`; a SQLite file is for one hub",
    ),
    (
        "store-pooled",
        "a pooler before PostgreSQL gives a connection for one transaction only",
        "add `statement-cache-capacity=0` to the parameters of the store's address, or have the pooler keep sessions",
    ),
    (
        "store-unavailable",
        "the store cannot be reached",
        "check that the file or server is there and that you may use it",
    ),
];
