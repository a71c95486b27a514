//! Codes of plans that cannot be undone.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "undo-not-done",
        "nothing of the plan was done on a system",
        "`bailiwick plan show PLAN` shows where each of its changes stands",
    ),
    (
        "undo-nothing",
        "it is not said what is to be undone, or nothing followed from the delivery",
        "name plans, which `bailiwick plan list` shows, or a delivery with changes",
    ),
    (
        "undo-of-exception",
        "the plan gave something until an end, and less is quicker",
        "end it with `bailiwick access end EXCEPTION`",
    ),
    (
        "undo-of-hub",
        "the plan changed what is declared of the hub or of an integration",
        "apply the configuration that was in force before with `bailiwick apply FOLDER`",
    ),
    (
        "undo-of-leaver",
        "somebody left by the plan; no credential comes back to life",
        "if they are still here, correct the source: they begin anew with what policies give",
    ),
    (
        "undo-same-person",
        "two plans of one person cannot be undone at once",
        "undo the other one by itself when the first is settled",
    ),
    (
        "undo-under-way",
        "changes of the plan are not settled",
        "wait until `bailiwick plan show PLAN` shows an end of each, then undo it",
    ),
];
