//! Codes of the program itself: command line, folders, profile, API, lab and demo.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "already-initialised",
        "the folder has a hub already",
        "start it with `bailiwick serve --data DIR`, or name another folder",
    ),
    (
        "ambiguous",
        "the name fits more than one identity",
        "use the id, which `bailiwick identity list` shows",
    ),
    (
        "answer-not-understood",
        "what answered is no hub, or one of another version",
        "check with `bailiwick --version` that hub and command line are of the same version",
    ),
    ("approval-by-beneficiary", "nobody approves access for themselves", "ask another approver"),
    ("approval-by-requester", "nobody approves what they asked for", "ask another approver"),
    (
        "approval-digest-mismatch",
        "the plan is not the one that the approval is for",
        "look at the plan again with `bailiwick plan show`, then approve what you saw",
    ),
    (
        "approval-expired",
        "the approval came too late",
        "look at the plan again with `bailiwick plan show`; a plan that is still needed is made anew",
    ),
    (
        "approval-not-allowed",
        "no policy lets this operator approve this plan",
        "ask somebody whom a policy with the action `approve` lets approve it",
    ),
    (
        "approval-used",
        "an approval counts once, and this one has counted",
        "nothing is left to do; `bailiwick plan show` says what came of it",
    ),
    (
        "blast-subject",
        "what was named is nothing that can be taken over",
        "name an integration, `credential NAME/PURPOSE` or `vendor NAME`",
    ),
    (
        "cannot-listen",
        "the address cannot be listened on",
        "choose an address of this machine with `--listen HOST:PORT`",
    ),
    (
        "configuration",
        "the configuration contradicts itself or the store",
        "mend what is named, run `bailiwick apply` again; nothing was changed",
    ),
    (
        "configuration-changed",
        "what would change is not what was shown any more",
        "run `bailiwick apply` again and look at the new diff; nothing was changed",
    ),
    (
        "confirmation-needed",
        "a change is not made without somebody who says so",
        "look at the diff, then run the same with `--yes`",
    ),
    (
        "dialects",
        "the statements that came with the product cannot be read",
        "reinstall the program: the file is damaged",
    ),
    ("file-unreadable", "the file cannot be read", "check its path and that you may read it"),
    ("file-unwritable", "the file cannot be written", "check its folder and that you may write there"),
    ("folder-not-empty", "the folder is to be a new one and has something in it", "name a new folder"),
    (
        "folder-unwritable",
        "the folder cannot be made or written",
        "check its path and that you may write there",
    ),
    (
        "hub-unreachable",
        "no hub answers at the address in the profile",
        "is it running? start it with `bailiwick serve`",
    ),
    (
        "identity-not-left",
        "only what is personal about somebody who has left is erased",
        "wait until the source says that they left",
    ),
    (
        "inconsistent",
        "what is stored does not fit together",
        "run `bailiwick evidence check`, and restore the database from a backup if it finds damage",
    ),
    (
        "internal",
        "the program could not start its own parts",
        "look at the message: the machine lacks memory, threads or file handles",
    ),
    (
        "lab-bad-seed",
        "what is to be put into the lab is not understood",
        "compare it with what `/truth/SYSTEM` shows",
    ),
    (
        "lab-bad-spec",
        "the lab does not know this behaviour",
        "choose from those that `bailiwick lab --help` lists",
    ),
    ("lab-duplicate-system", "two systems of the lab have the same name", "give each system its own name"),
    ("lab-failed", "the lab ended abnormally", "run it again with BAILIWICK_LOG=debug and look at the log"),
    ("lab-no-such-system", "the lab has no system of that name", "name one that the lab was started with"),
    ("lab-unreachable", "the lab does not answer", "check that it runs; start it with `bailiwick lab`"),
    (
        "method-not-allowed",
        "the resource is there and does not have this method",
        "use a method that the API has for it",
    ),
    (
        "no-data-folder",
        "the folder holds no hub",
        "set one up with `bailiwick init`, or name another with `--data DIR`",
    ),
    (
        "no-profile",
        "there is no profile to say where the hub is",
        "set up a hub with `bailiwick init`, or name the profile with `--profile FILE`",
    ),
    ("no-secret", "no credential was given", "pipe the secret in, or name a file with `--file FILE`"),
    (
        "no-such-resource",
        "the API has nothing at this path",
        "check the path; all of them begin with `/api/v1/`",
    ),
    (
        "not-allowed",
        "the operator lacks the role for this",
        "ask an operator with that role; `bailiwick operator list` shows who has which",
    ),
    (
        "not-found",
        "there is nothing of that name",
        "check the name; `bailiwick status` and the `list` commands show what there is",
    ),
    (
        "not-quiet",
        "the queue did not become empty in the time it was given",
        "look at `bailiwick finding list` and `bailiwick status --wait 60`",
    ),
    (
        "plan-superseded",
        "a newer plan has taken the place of this one",
        "look for the newer one with `bailiwick plan list`",
    ),
    (
        "port-in-use",
        "another program listens on the address",
        "stop the other program, or choose another address with `--listen HOST:PORT`",
    ),
    (
        "profile-exists",
        "there is a profile in this place already",
        "keep it by naming another with `--profile FILE`",
    ),
    (
        "profile-malformed",
        "the profile is not understood",
        "compare it with one that `bailiwick init` writes",
    ),
    ("profile-open", "others can read the profile, and it holds a token", "run `chmod 600` on it"),
    ("profile-unreadable", "the profile cannot be read", "check its path and that you may read it"),
    ("profile-unwritable", "the profile cannot be written", "check its folder and that you may write there"),
    (
        "promise-broken",
        "the demo saw something that is not as it must be",
        "run `bailiwick demo --keep DIR` and report what it says",
    ),
    ("request-malformed", "the request is not understood", "mend what the message names"),
    (
        "request-too-large",
        "the body is longer than the API takes",
        "send less at a time; a delivery may have 256 MiB, a configuration 8 MiB",
    ),
    (
        "serve-failed",
        "the hub ended abnormally",
        "look at its log, then start it again: what was queued goes on",
    ),
    (
        "token-refused",
        "the token is not known or has expired",
        "an operator with the role `admin` makes a new one with `bailiwick operator add`",
    ),
    (
        "transport",
        "connections to systems cannot be set up",
        "look at the message: the machine's certificates or network are not right",
    ),
    ("usage", "the command line is not understood", "run the same command with `--help`"),
    (
        "work-not-understood",
        "queued work is of a kind that this program does not know",
        "run the newer program that queued it; the work waits and nothing else does",
    ),
    ("world-malformed", "the file does not describe a lab", "use one that `bailiwick demo --keep DIR` wrote"),
];
