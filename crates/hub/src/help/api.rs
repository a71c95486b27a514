//! Codes of the API as such.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "content-type-unsupported",
        "the body is said to be something else than JSON; nothing was done",
        "send JSON with `Content-Type: application/json`",
    ),
    (
        "idempotency-answer-not-kept",
        "the request with this `Idempotency-Key` was answered before; its answer cannot be given again",
        "the status in the detail says what came of it; look at what there is now. Where a secret was lost, have a new one made, with a new key",
    ),
    (
        "idempotency-key-in-use",
        "the request with this `Idempotency-Key` is under way",
        "ask again with the same key in a moment: the answer will be there",
    ),
    (
        "idempotency-key-reused",
        "the `Idempotency-Key` stands for another request; nothing was done",
        "give each request a key of its own, such as a UUID, and send it with nothing else",
    ),
    (
        "idempotency-key-unanswered",
        "a request with this `Idempotency-Key` was begun, and the process that did it ended, or is another one and not done: it is not known whether it was done",
        "ask again with the same key in a minute; if it stays so, look at what there is now, and ask with a new key only if it was not done",
    ),
    (
        "idempotency-keys-full",
        "too many keys of this operator stand for requests of the last day",
        "send fewer requests with a key, or wait: a key stands for a day",
    ),
    (
        "view-changed",
        "the view that the change is made from is not what the `ETag` of `If-Match` says, or has none; nothing was done",
        "read the view again, look at what changed, and ask with its new `ETag`",
    ),
];
