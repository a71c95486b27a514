//! Codes of who works with the hub.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "factor-is-ones-own",
        "an administrator wants to make the first second factor of somebody else",
        "let them run `bailiwick operator enrol NAME` with their own profile",
    ),
    (
        "hub-last-admin-left",
        "a source says that the only administrator of the hub has left, and nobody else could govern it",
        "let them add another one with `bailiwick operator add NAME --role admin`, then end theirs with `bailiwick operator revoke NAME`",
    ),
    (
        "invitation-not-yours",
        "a half of an invitation is asked for by somebody who neither asked for the operator nor approved them",
        "let who asked and who approved run `bailiwick operator invitation PLAN`, each for themselves",
    ),
    (
        "invitation-refused",
        "there is no such invitation, its halves are others, or it was taken over before",
        "get both halves again with `bailiwick operator invitation PLAN`, one from each administrator",
    ),
    (
        "operator-last-admin",
        "an operator is to be ended, and nobody who could govern the hub would be left",
        "add another administrator first with `bailiwick operator add NAME --role admin`",
    ),
    (
        "operator-name",
        "an operator cannot be called so",
        "use small letters, digits and hyphens, and begin with a letter",
    ),
];
