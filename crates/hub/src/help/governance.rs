//! Codes of what governs integrations and the hub itself.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "approval-by-delegate",
        "the approver acts for somebody who asked for the change, profits from it or answers for it",
        "let somebody approve who does not act for one of them",
    ),
    (
        "approval-by-owner",
        "who answers for an integration cannot approve what it may do",
        "let somebody else approve; owner and backup are shown by `bailiwick integration list`",
    ),
    (
        "approval-by-same-person",
        "one person wants to open both gates",
        "let another person with the role for this gate approve",
    ),
    (
        "approval-forged",
        "an approval in the database was not given through the hub; nothing of it was done",
        "find out who writes to the database, run `bailiwick evidence check`, then ask for the change again",
    ),
    (
        "approval-missing",
        "a plan is marked as approved and its approval is not there; nothing of it was done",
        "find out who writes to the database, run `bailiwick evidence check`, then ask for the change again",
    ),
    (
        "approver-unknown",
        "it is not known which person the approver is, or they have left",
        "add the operator again with `--person SOURCE/KEY`",
    ),
    (
        "automation-ownerless",
        "who answered for something that a system does by itself has left",
        "name somebody else as `owner` of the automation, or end it on its system and take it out of the configuration",
    ),
    (
        "blast-subject",
        "nothing has this name that a blast radius could be of",
        "name an integration, `credential NAME/PURPOSE` or `vendor NAME`",
    ),
    (
        "certification-void",
        "an integration can do more than was approved, because a policy or an automation leads on from what it writes",
        "look at `bailiwick authority explain NAME`, then take from its scope, or ask anew with `bailiwick integration certify NAME`",
    ),
    (
        "drill-failed",
        "the last drill of the integration's revocation failed, so its writes are off",
        "mend what the drill found, then run `bailiwick kill NAME --drill` again",
    ),
    (
        "hub-bootstrap",
        "a single administrator sets the hub up and needs nobody's approval until the deadline",
        "add a second one with `bailiwick operator add NAME --role admin --person SOURCE/KEY`, and people for the two gates",
    ),
    (
        "identity-authority-missing",
        "nobody has approved that the integration changes who has access; it only reads",
        "let an identity-approver approve its plan (`bailiwick plan list --state drafted`); where there is none, ask with `bailiwick integration certify NAME`",
    ),
    (
        "integration-approval-missing",
        "nobody has approved that the integration is connected",
        "let an integration-approver approve its plan (`bailiwick plan list --state drafted`); where there is none, ask with `bailiwick integration certify NAME`",
    ),
    ("integration-ended", "the integration was killed or retired", "declare another one under another name"),
    (
        "connector-unusable",
        "this program cannot make the connector of an integration from the settings that are in force",
        "correct its settings as the message says and `bailiwick apply`, or go back to the program that took them; it can be killed all the same",
    ),
    (
        "integration-incomplete",
        "something must be on record of the integration and is not",
        "add what the message names to its table, then `bailiwick apply`",
    ),
    (
        "integration-shut",
        "what was approved of the integration does not cover the call",
        "the message names the gate that is shut",
    ),
    (
        "integration-understated",
        "the owner takes the integration for less than it is",
        "declare the computed class, or take from its scope; `bailiwick authority explain NAME` shows why",
    ),
    (
        "owner-missing",
        "nobody who is here answers for the integration, so its writes are off",
        "let the new owner accept it with `bailiwick integration accept NAME`",
    ),
    (
        "plan-waits",
        "an approved plan about the hub needs another one that is not approved yet",
        "approve the other one; `bailiwick plan list --state drafted`",
    ),
    (
        "review-overdue",
        "the review of the integration is overdue, so it is narrowed or paused",
        "review it: `bailiwick review show NAME`",
    ),
    (
        "rotation-overdue",
        "the integration's credential was not changed since its owner changed",
        "set a new one with `bailiwick credential set NAME PURPOSE`",
    ),
    (
        "scope-untested",
        "what is new in the scope was not tried",
        "run `bailiwick integration test NAME`, then approve",
    ),
    (
        "step-up-needed",
        "this approval needs you to prove anew who you are",
        "give the code of the moment with `--code`, or approve it at the console with a passkey",
    ),
];
