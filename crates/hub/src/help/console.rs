//! Codes of the console.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "form-foreign",
        "a form does not come from a page of this session of the console; nothing was done",
        "open the page again and send the form from there; if you did not send it, close the page that you came from",
    ),
    (
        "list-too-long",
        "a list has more rows than leave the console at once",
        "narrow it, or read it page by page from the API",
    ),
    (
        "not-confirmed",
        "what was typed to confirm is not the name of what would be ended; nothing was done",
        "type the name as the page says it",
    ),
    (
        "page-failed",
        "a page of the console cannot be made",
        "report it with the log of the hub: it is a mistake in the program",
    ),
    (
        "session-over",
        "there is no open session at the console any more; nothing was done",
        "sign in again: with a passkey, by the provider, or by a link of `bailiwick sign-in`",
    ),
    (
        "sign-in-slowed",
        "too many were turned away within a minute; who has what is right still gets in",
        "wait a minute; if it was not you, look at who reaches the console: `bailiwick finding list`",
    ),
    (
        "sign-ins-refused",
        "many were turned away within minutes: codes of links, passkeys, answers of the provider, tokens, halves of an \
         invitation, or hints that are not signed",
        "look at where they come from, and let the hub be reached from fewer places",
    ),
];
