//! Codes of integrations that end, and of the proof that they did.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "rotated-credential-alive",
        "a credential was replaced and ended, and its provider lets it in all the same",
        "end it at the provider by hand; it is tried again by itself until it is rejected",
    ),
    (
        "rotation-refused",
        "a credential was replaced, and its provider does not let the new one in; the old one is left as it is",
        "set one that works with `bailiwick credential set NAME PURPOSE`",
    ),
    (
        "rotation-unproven",
        "a credential was replaced, and for a day nothing has said whether the old one is dead",
        "look at the provider; declare `[integration.NAME.kill]` if nothing says how it is ended and tried",
    ),
    (
        "credential-accepted",
        "the provider lets a credential in that is or should be dead",
        "end it at the provider by hand, and mend `[integration.NAME.kill]` so that its `probe` tells dead from living",
    ),
    (
        "credential-rejected",
        "the provider turns a credential away that should work",
        "set it anew with `bailiwick credential set NAME PURPOSE`, or mend the `probe` of `[integration.NAME.kill]`",
    ),
    (
        "credential-unclear",
        "what the provider answers to the call that tries a credential says neither that it works nor that it is dead",
        "name another `probe` in `[integration.NAME.kill]`, one that the credential may call",
    ),
    (
        "grant-unproven",
        "an integration was killed and nothing proves that its provider rejects what it had",
        "see to it at the provider, then accept what stands in for the proof with `bailiwick case accept`",
    ),
    (
        "hub-stays",
        "the hub is an integration of itself and does not end itself",
        "stop the process to stop the hub",
    ),
    (
        "integration-not-ended",
        "it was not killed, so there is no case of its end",
        "end it with `bailiwick kill NAME`",
    ),
    (
        "integration-not-proven-dead",
        "an integration that has ended is declared anew before its old grant is proven dead",
        "take it out of the configuration, or have its case closed first: `bailiwick kill NAME` says how far it is",
    ),
    (
        "kill-undeclared",
        "nothing declares how the grant of the integration is ended and tried",
        "declare `revoke` and `probe` in `[integration.NAME.kill]`, then `bailiwick apply`",
    ),
    (
        "sweep-open",
        "something of a vendor still has a credential that it had when the sweep was opened",
        "set each anew or kill what has it; `bailiwick sweep vendor NAME` says how far it is",
    ),
    (
        "work-stopped",
        "an integration was killed while changes were on their way through it; they were stopped",
        "look at what was sent and may have been done, and do the rest through another integration",
    ),
];
