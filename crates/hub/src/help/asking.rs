//! Codes of what is asked at request time. Whoever is refused is not answered, and has to deny.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "ask-out-of-scope",
        "an integration asks about a kind of resource that its certified scope does not have",
        "widen its `acts` with `decide TYPE` or `search TYPE` and have that approved, or ask about something else",
    ),
    (
        "decisions-waiting",
        "so many decisions wait to be written down that no more are made",
        "deny, and ask again in a moment; if it stays, look whether the store can write",
    ),
    (
        "hub-address-unknown",
        "somebody asks where questions are asked, and the hub was not told its own address",
        "run `bailiwick serve --url https://hub.example.com`, or set BAILIWICK_URL",
    ),
    (
        "page-token-refused",
        "the token of a page was not given to this caller for this search",
        "begin again without a token; all other fields stay the same from page to page",
    ),
    (
        "too-many-evaluations",
        "one request puts more questions than are answered at once",
        "put them in several requests",
    ),
];
