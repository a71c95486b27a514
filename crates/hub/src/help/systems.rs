//! Codes of systems and connectors, and of findings about them.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "absent-grace-over",
        "somebody is missing from the source for longer than its grace",
        "ask the source whether they left; until it says so they keep their access",
    ),
    (
        "account-owns-objects",
        "an account cannot be deleted while it owns something or has rights on something",
        "hand over what the message names, or set `reassign_owned_to`",
    ),
    (
        "account-unmanaged",
        "an account on a system belongs to nobody known",
        "find out whose it is; link it or delete it on the system",
    ),
    (
        "accounts-unmanaged",
        "many accounts on a system belong to nobody known",
        "check that the right system and source are connected",
    ),
    (
        "already-exists",
        "the system has an object of this name already",
        "run `bailiwick reconcile SYSTEM`, so that it is known",
    ),
    (
        "answer-ambiguous",
        "several entries of a directory have what only one may have",
        "find the entries by that id, name or marker in the directory and put them right",
    ),
    (
        "answer-incomplete",
        "the directory did not show everything, so nothing is said to be missing",
        "raise the integration's limits in the directory (OpenLDAP: `limits … size.prtotal`), or narrow the base so that no part of it is on another server",
    ),
    (
        "answer-malformed",
        "the system's answer is not understood",
        "check that `endpoint` and `base` point at its API and not at a login page",
    ),
    (
        "approval-undecidable",
        "a policy cannot say whether a plan needs a person",
        "approve the plan, or mend the policy that the finding names",
    ),
    (
        "attestation-lapsed",
        "what a person attested about a system does not stand any more",
        "look at the system, mend it there, then answer the next task",
    ),
    (
        "attribute-has-writer",
        "an integration writes an attribute that a source promises",
        "take the attribute from the contract of the source, or from the `acts` of the integration",
    ),
    (
        "attribute-wrong-type",
        "a value that an integration writes is not of the attribute's type",
        "send a text, or what the source's contract promises of the attribute",
    ),
    (
        "audit-log-lost",
        "a system's audit log does not go back to where it was read last",
        "have the system keep its log for longer than `audit_every`, and find out by other means who did what there meanwhile; what the hub did then is `audit-silent`, for nothing vouches for it",
    ),
    (
        "audit-silent",
        "a system answered that it changed access, and its own audit log has no word of that",
        "what is read of it is not believed: look there by hand, try what is said to have ended, and accept in the case what stands in for reading; a log that is only late mends it by itself",
    ),
    (
        "base-elsewhere",
        "a base in the settings of a directory is on another server, and referrals are never followed",
        "set `endpoint` to the server that has the base, which the directory's referral names",
    ),
    (
        "budget-exceeded",
        "an integration has used up a budget of its scope, and the rest of its changes is held",
        "look at them with `bailiwick integration held NAME`, then let them go once with `bailiwick integration release NAME`",
    ),
    (
        "caller-token-refused",
        "the token is no integration's, or has expired, or was taken back",
        "an operator with the role `admin` makes a new one with `bailiwick integration token NAME`",
    ),
    (
        "cannot-audit",
        "a system's audit log could not be read on schedule",
        "mend what the finding names; it is tried again in a quarter of an hour, or run `bailiwick audit SYSTEM`",
    ),
    (
        "cannot-drill",
        "a system could not be drilled again on schedule",
        "mend what the finding names; it is tried again in six hours, or run `bailiwick drill SYSTEM`",
    ),
    (
        "cannot-probe",
        "a system could not be probed again on schedule",
        "mend what the finding names; it is tried again in six hours, or run `bailiwick probe SYSTEM`",
    ),
    (
        "cannot-reconcile",
        "a system cannot be compared with what is known",
        "mend what the finding names; it is tried again",
    ),
    (
        "cannot-verify",
        "a system cannot be read back, so nothing about it is proven",
        "mend what the finding names; it is tried again",
    ),
    (
        "change-refused",
        "a system refused a change of a plan",
        "mend what the finding names; the next plan tries again",
    ),
    (
        "change-unexplained",
        "accounts were changed, and the system's own audit log has no word of that",
        "find out who can change accounts there without leaving a trace; an entry that comes late mends it by itself",
    ),
    (
        "connector-settings",
        "the connector does not understand its settings",
        "correct the setting that is named, then run `bailiwick apply`",
    ),
    (
        "credential-refused",
        "the system refuses the credential",
        "set a valid one with `bailiwick credential set INTEGRATION write`",
    ),
    (
        "credential-used-elsewhere",
        "a system's audit log has changes under the hub's name that the hub never sent",
        "set the credential anew with `bailiwick credential set INTEGRATION`, find out who has the old one, and look at what was done with `bailiwick audit SYSTEM`",
    ),
    (
        "database-locked",
        "another program writes to the SQLite file and does not let go",
        "it is tried again; find out who holds the file when it stays so",
    ),
    (
        "deleted-objects-hidden",
        "the integration may not see deleted objects, so it cannot hear of what is gone",
        "give its account `Replicating Directory Changes` on the domain, or let it list and read `CN=Deleted Objects`; until then everything is listed",
    ),
    (
        "description-hole",
        "a hole of a described call is filled by nothing, or one that it needs is not there",
        "correct the name of the hole, or declare it in `parameters`",
    ),
    (
        "description-invalid",
        "a file does not describe an API that the connector `rest` can speak to",
        "correct every place that is named",
    ),
    (
        "description-missing",
        "a description does not say something that it must",
        "add the key that the message names",
    ),
    (
        "description-syntax",
        "a description is not TOML, or has a key or value that means nothing there",
        "correct the place that is named",
    ),
    (
        "description-value",
        "a description says something that cannot be, or does not fit the rest of it",
        "write what the message says",
    ),
    (
        "control-empty-reason",
        "what stands in for seeing was accepted without a reason",
        "say what stands in and why that is enough",
    ),
    (
        "control-lapsed",
        "what stood in for seeing a class of access has ended, so the case is open again",
        "look at it again, then accept it anew with `bailiwick case accept`, or connect a system so that it can be seen",
    ),
    (
        "control-not-needed",
        "a cell can be seen, so nothing may stand in for seeing it",
        "have the access removed; only a cell that is `unobservable` is accepted",
    ),
    ("control-over", "the last day of what is accepted is over", "name a day to come"),
    (
        "control-own-access",
        "somebody accepts what stands in for seeing their own access",
        "let somebody else look and accept it",
    ),
    (
        "control-own-integration",
        "the owner of an integration accepts what it cannot see",
        "let somebody else look and accept it",
    ),
    (
        "control-owner-unfit",
        "who is to answer for what stands in is not known, has left, or is the leaver",
        "name somebody else by `source/key`; `bailiwick identity list` shows who is here",
    ),
    (
        "control-too-long",
        "what stands in would not be looked at for more than a year",
        "accept it for less, and again when it ends",
    ),
    (
        "destination-refused",
        "the name of an endpoint leads to where it may not, and nothing was sent",
        "name the range in `networks` if the system is there, or find out who answers for the name",
    ),
    (
        "differences-held",
        "a comparison found more than it may set in motion, and nothing is done about the rest",
        "see with `bailiwick reconcile SYSTEM` whether it is so; mend what made it look so, or let it go with `bailiwick reconcile SYSTEM --release`",
    ),
    (
        "diverged",
        "a change was answered with success and reading back shows something else",
        "look at the system: something else changes it, or it does not do what it says",
    ),
    (
        "drill-left-access",
        "a canary left a system and kept something, so leavers keep it too",
        "look at `bailiwick drill SYSTEM --show`, mend how it is removed there, then drill again",
    ),
    (
        "entitlement-missing",
        "a declared entitlement is not on the system",
        "make it there, or correct its `label`, then run `bailiwick reconcile SYSTEM`",
    ),
    (
        "entitlement-nested-privileged",
        "a group gives a privileged entitlement to whoever is in it, because it is in that group on the system",
        "take the one group out of the other on the system, or declare the inner one as `privileged` too, so that it is approved as such",
    ),
    (
        "group-nested-privileged",
        "a group that nobody declared lies in one that gives power over other access",
        "see with `bailiwick who-can ENTITLEMENT` who is in it, then take the group out on the system, or declare it as an entitlement",
    ),
    (
        "hint-reads-nothing",
        "an integration that reaches no system is to have hints, and nothing could be read because of one",
        "a source is delivered (`bailiwick import`); let the integration that reaches the system have the hook",
    ),
    (
        "hint-stale",
        "a webhook is more than five minutes old, or its sender's clock is wrong; nothing was done",
        "send it when it happens; if it was, set the clock of the sender or of the hub",
    ),
    (
        "hint-unsigned",
        "a webhook is not signed with the secret of the integration in its address, or that integration may send none",
        "set the secret of `bailiwick integration hook NAME` in the sender; if it was not the sender, somebody else tries the address",
    ),
    (
        "identity-undecidable",
        "the policies cannot decide about somebody",
        "complete the facts that the finding names at the source",
    ),
    (
        "identity-left",
        "an integration writes of somebody who has left",
        "ask the source whether they are back; nothing is written of who has left",
    ),
    (
        "integration-not-caller",
        "an integration that serves a system does not call the hub",
        "declare a `partner` of its own for what calls, and give that one the token",
    ),
    (
        "integration-quarantined",
        "the integration did something outside its scope and is stopped",
        "look at the finding, mend the cause, then `bailiwick integration release NAME`",
    ),
    (
        "listing-interrupted",
        "the connection that a listing was on is gone, or what was listed was changed meanwhile",
        "nothing to do: the listing is begun again",
    ),
    (
        "lock-without-effect",
        "the directory takes the lock of accounts and lets them in all the same",
        "set `pwdLockout: TRUE` in the default password policy and name it in `policies`, or allow another way in `disable`",
    ),
    (
        "misaligned",
        "somebody is inactive, and on a system something of theirs works, or its end is in no log",
        "end it there, or mend what says that they are inactive; `bailiwick alignment` shows all",
    ),
    (
        "no-credential",
        "the integration has no credential for this",
        "set it with `bailiwick credential set INTEGRATION write`, of a source `read`",
    ),
    ("not-drilled", "no canary has left the system yet", "run `bailiwick drill SYSTEM`"),
    ("not-probed", "nothing was learned about the system yet", "run `bailiwick probe SYSTEM`"),
    (
        "others-depend-on-it",
        "the database keeps what others depend on",
        "remove what the message names as somebody who may, then plan again",
    ),
    (
        "out-of-scope",
        "a request is outside the integration's `scope` and was not sent",
        "add it to the `scope` if it is meant to be allowed",
    ),
    (
        "over-budget",
        "the integration has used up its writes for this minute, and what is left is held",
        "look at it with `bailiwick integration held NAME`, then release it, or have `writes_per_minute` raised",
    ),
    (
        "rate-limited",
        "the system asks to be asked less often",
        "wait; it is tried again when the system says",
    ),
    (
        "rehire-held",
        "somebody is back, and on a system something of before is only blocked and would wake with the account",
        "end it on the system, or wait until it is purged; it is read again every hour, and goes on by itself",
    ),
    (
        "residual-access",
        "somebody left and still has access",
        "remove it on the system, or approve the plan that waits; it is read back by itself",
    ),
    (
        "seen-in-part",
        "a system did not show everything when it was compared",
        "raise what limits the integration's credential there; until then nothing is said to differ or to be gone",
    ),
    ("stale", "the object was changed by somebody else meanwhile", "try again; it is read anew"),
    (
        "shared-account-unattended",
        "nobody who is here looks after accounts that several use",
        "name somebody else under `shared` in the system's `reconcile`, run `bailiwick apply`, and change what these accounts sign in with",
    ),
    (
        "statement-for-other-operation",
        "a rule of a scope has a statement stand behind an operation that it is not for; it was not executed",
        "find out who put the rule there; write it with the operation that `operations` of the statement says",
    ),
    (
        "statement-writes",
        "a statement for reading tries to write, or the database lets nobody write",
        "mend `statements.NAME`, or point the integration at the database that is written",
    ),
    (
        "statement-wrong",
        "the database does not understand a statement, or it does not do what its name says",
        "mend `statements.NAME`; the message says what the database says",
    ),
    (
        "system-busy",
        "the same is being done with the system at this moment, by this hub or another",
        "wait until it is done; `bailiwick status` shows when the system was last compared",
    ),
    ("system-fault", "the system reports a fault of its own", "look at the system's log; it is tried again"),
    ("system-forbids", "the credential is valid and may not do this", "give it the right on the system"),
    (
        "system-refuses",
        "the system refuses the request as invalid",
        "correct the attribute that is named in the configuration or at the source",
    ),
    (
        "system-remark",
        "there is something about the system that somebody should know: what is configured and has no effect, what was left behind",
        "the finding says what to do; it closes when the system is compared again and it is mended",
    ),
    (
        "system-stuck",
        "changes on a system do not come to an end",
        "mend what the finding names; it is tried again",
    ),
    (
        "system-timeout",
        "the system did not answer in time",
        "check that the system is up; whether a change was made is read back",
    ),
    (
        "system-undeclared",
        "access is known or wanted on a system that no integration reaches",
        "declare the system and its integration, and have it approved, so that the access can be changed",
    ),
    (
        "system-unreachable",
        "the system cannot be reached",
        "check the address in the integration's `endpoint` and that the system is up",
    ),
    (
        "task-answered",
        "the task has its answer",
        "look at it with `bailiwick task show`; a new one is made when it is needed again",
    ),
    (
        "task-declined",
        "a person said that a change cannot be made",
        "read why with `bailiwick task list --state declined`, and mend it or the plan behind it",
    ),
    (
        "task-empty-answer",
        "the answer to a task says nothing",
        "say what was done and how it can be seen, or why it cannot be done",
    ),
    (
        "task-overdue",
        "a person was asked to do something and has not answered in time",
        "answer with `bailiwick task done` or `bailiwick task decline`",
    ),
    (
        "task-own-access",
        "somebody answers a task about their own access",
        "let somebody else look and answer",
    ),
    (
        "task-waiting",
        "a person was asked to do something and has not answered yet",
        "answer with `bailiwick task done` or `bailiwick task decline`",
    ),
    (
        "too-many-calls",
        "an integration calls at the door more often than it may",
        "wait for as long as `Retry-After` says",
    ),
    (
        "unsupported",
        "the system or its connector cannot do this",
        "remove it from the configuration, or do it on the system by hand",
    ),
    (
        "vault-entity-overwritten",
        "somebody else made an entity of the same name at the same time, and it was changed",
        "look at the entity's metadata and whose it is, then run `bailiwick reconcile SYSTEM`",
    ),
    (
        "vault-login-remains",
        "an entity is not deleted, because a login would come back as a new one",
        "remove the login and its alias, or set `delete_with_logins = true`",
    ),
    (
        "vault-no-mount",
        "nothing is mounted at a path of the vault",
        "check that `endpoint` is its address without `/v1`, and that what is named is mounted",
    ),
    ("vault-no-namespace", "the vault has no such namespace", "correct the setting `namespace`"),
    ("vault-not-initialised", "the vault is not initialised", "initialise it, or correct `endpoint`"),
    ("vault-sealed", "the vault is sealed", "unseal it; nothing was changed"),
    (
        "vault-standby",
        "this node of the vault does not answer by itself",
        "set `endpoint` to the active node or to what leads there",
    ),
    (
        "verification-untrusted",
        "a drill got in behind a clean read: what is read of that class on the system proves nothing",
        "end what is alive there by hand, have the vendor mend it, then `bailiwick drill SYSTEM`; meanwhile cases that rest on it take an accepted control",
    ),
    (
        "way-without-effect",
        "a way of disabling is known to have no effect on this system, so the next one is taken",
        "the finding `system-remark` says why; with the cause mended it is taken again",
    ),
];
