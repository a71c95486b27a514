//! Codes of the program itself: command line, folders, profile, API, lab and demo.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "access-asked-already",
        "what is asked for is asked for, or open, for the same person",
        "`bailiwick access list` shows it; when it is over, ask again",
    ),
    ("access-asked-over", "what was asked for is not open for an approval any more", "ask again"),
    (
        "access-forbidden",
        "a policy forbids that the person holds it, and no exception gives what is forbidden",
        "`bailiwick why PERSON ENTITLEMENT` names the policy; ask for something else, or change the policy",
    ),
    (
        "access-not-ended",
        "the time of an exception is over and access it gave is still there, or cannot be read",
        "end it on the system by hand; the hub reads again until nothing is left, then the finding closes",
    ),
    (
        "access-not-open",
        "only an exception that counts can be ended",
        "`bailiwick access list` shows where it stands",
    ),
    (
        "access-too-long",
        "nothing is given for so long that no policy gives",
        "ask for less time, or have a policy give it",
    ),
    (
        "access-unprovable",
        "only a person can look at the system, so the end of such access could not be proven",
        "ask for something on a system that is connected by a program, or take the entitlement out of the case",
    ),
    (
        "access-withheld",
        "what is asked for was taken away on its system by somebody else, and a person let that stand for a time",
        "end that first: `bailiwick access end ID`",
    ),
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
        "break-glass-nothing",
        "there is nothing that the case could give now",
        "look with `bailiwick why PERSON ENTITLEMENT`: it is held already, forbidden, missing on the system, or a change is under way",
    ),
    (
        "break-glass-review",
        "the glass was broken, and somebody who had no part in it has not looked at it yet",
        "when it is over, run `bailiwick break-glass review ID --reason TEXT`",
    ),
    (
        "break-glass-running",
        "it is reviewed when its end is proven, and it is not yet",
        "wait for its end; `bailiwick break-glass list` shows where it stands",
    ),
    (
        "break-glass-too-long",
        "it would be open for longer than its case allows",
        "ask for fewer minutes; `bailiwick break-glass list` shows the longest",
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
        "identity-not-active",
        "somebody who is not here holds nothing",
        "check the person with `bailiwick identity show`",
    ),
    (
        "identity-not-left",
        "only what is personal about somebody who has left is erased",
        "wait until the source says that they left",
    ),
    (
        "identity-preserved",
        "nothing of somebody who is under legal hold is erased",
        "wait until what says so, the attribute `legal_hold`, says that it is over",
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
        "neither a role of the operator nor a policy lets them do this",
        "ask an operator with that role (`bailiwick operator list`), or have the policy changed that is named",
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
        "not-ready",
        "the hub cannot work now: its store does not answer, its log is not in order, or it is stopping",
        "look at the log of the hub; it answers again by itself once the cause is gone",
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
    ("reason-missing", "a reason is to be given and is empty", "say why with `--reason TEXT`"),
    ("request-malformed", "the request is not understood", "mend what the message names"),
    (
        "request-too-large",
        "the body is longer than the API takes",
        "send less at a time; a delivery may have 256 MiB, a configuration 8 MiB",
    ),
    (
        "request-too-slow",
        "nothing more of a body came for half a minute, or all of it took too long; nothing was done",
        "send it again; if a proxy is between, let it take the whole body first",
    ),
    (
        "review-by-involved",
        "who asked, approved or profited, and who acts for them, does not review it",
        "let a third person review it",
    ),
    ("review-done", "it was reviewed already", "nothing is left to do"),
    (
        "reviewer-unknown",
        "it is not known which person the reviewer is, or they have left",
        "add the operator with `bailiwick operator add NAME --person SOURCE/KEY`",
    ),
    (
        "serve-failed",
        "the hub ended abnormally",
        "look at its log, then start it again: what was queued goes on",
    ),
    (
        "step-up-guessed",
        "an operator gave several wrong codes in a row",
        "ask them whether it was they; if not, add them anew and give them a new factor",
    ),
    (
        "step-up-not-enrolled",
        "the approval takes a code of the moment and the operator has no second factor",
        "run `bailiwick operator enrol NAME` for yourself, or enrol a passkey at the console, under \"Signed in\"",
    ),
    (
        "step-up-slowed",
        "there were too many wrong codes in a row, and none is looked at for a while",
        "wait until the time that is named",
    ),
    (
        "step-up-wrong",
        "the code is not one of this moment, or it was used before",
        "wait for the next code and check the clock of the device",
    ),
    (
        "tls-key-open",
        "others can read the key of the certificate",
        "run `chmod 600` on it; if others could read it, have another certificate made",
    ),
    (
        "tls-unfit",
        "the certificate and its key cannot be used, mostly because they do not belong together",
        "name the chain with the certificate of the hub first, and its own key",
    ),
    (
        "tls-unreadable",
        "the certificate or its key cannot be read",
        "name files with PEM in them that the hub may read",
    ),
    (
        "token-refused",
        "the token is not known or has expired",
        "an operator with the role `admin` makes a new one with `bailiwick operator add`",
    ),
    (
        "too-many-requests",
        "an operator has had all the calls that are answered in a minute",
        "wait as long as `Retry-After` says, and let the program call less often",
    ),
    (
        "traces-unsendable",
        "the address of the collector of traces is none",
        "set OTEL_EXPORTER_OTLP_ENDPOINT to the root of a collector, such as http://127.0.0.1:4318, or to nothing",
    ),
    (
        "transport",
        "connections to systems cannot be set up",
        "look at the message: the machine's certificates or network are not right",
    ),
    (
        "scope-test-not-due",
        "there is nothing declared that waits to be tried, or it may not be connected yet",
        "have its first gate approved, then run `bailiwick integration test NAME`",
    ),
    ("usage", "the command line is not understood", "run the same command with `--help`"),
    (
        "work-not-understood",
        "queued work is of a kind that this program does not know",
        "run the newer program that queued it; the work waits and nothing else does",
    ),
    ("world-malformed", "the file does not describe a lab", "use one that `bailiwick demo --keep DIR` wrote"),
];
