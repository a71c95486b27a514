//! Codes of reviews, and of integrations that go to somebody else.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "owner-not-accepted",
        "a change names somebody to answer for an integration who has not accepted it",
        "let that person run `bailiwick integration accept NAME`, then approve",
    ),
    (
        "review-all-used",
        "every rule of the scope was used since the last review, so there is nothing to take away",
        "keep it for a reason, or revoke it",
    ),
    (
        "review-changed",
        "what the reviewer was shown is not so any more",
        "look again with `bailiwick review show NAME`, then decide",
    ),
    (
        "review-due",
        "an integration is to be looked at by somebody who does not answer for it",
        "look with `bailiwick review show NAME`, then keep, narrow or revoke it",
    ),
    (
        "review-nothing-used",
        "no rule of the scope was used since the last review, so nothing would stay",
        "revoke it, or keep it for a reason",
    ),
    (
        "review-reason-missing",
        "use alone is no reason to keep an integration",
        "say why it is still needed with `--because`",
    ),
    (
        "transfer-backup-missing",
        "the backup becomes the owner, and nobody would be backup",
        "name another backup: `bailiwick integration accept NAME --backup SOURCE/KEY`",
    ),
    (
        "transfer-not-proposed",
        "who wants to accept an integration is not proposed for it",
        "propose with `bailiwick integration transfer NAME --to SOURCE/KEY`",
    ),
    (
        "transfer-open",
        "who answered for an integration has left or moved, or somebody else is to, and nobody has accepted it",
        "let the proposed person run `bailiwick integration accept NAME`, or propose another one",
    ),
    (
        "transfer-to-nobody",
        "the person who is proposed is not known or has left",
        "name somebody as `SOURCE/KEY` who is in a source and here",
    ),
];
