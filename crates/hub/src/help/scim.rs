//! Codes of what is pushed to the hub by SCIM. A request that is refused changes nothing.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "integration-not-pushing",
        "an integration calls `/scim/v2` that is no source with the connector `scim-push`",
        "declare it so, see docs/scim-provider.md, or have it call at the door",
    ),
    (
        "push-member-unknown",
        "a member of a group is neither a user nor another group that this source pushed",
        "push the member first, or leave it out",
    ),
    (
        "push-not-unique",
        "somebody else of the source has the same sign-in name or address",
        "find out whether they are the same person and mend it at the source",
    ),
    (
        "push-stale",
        "what is written was changed by another request meanwhile",
        "read it again and repeat the request",
    ),
    (
        "scim-bulk-circle",
        "an operation of a bulk request names one that failed or that waits for it",
        "make what is named first, in a request of its own",
    ),
    (
        "scim-bulk-too-large",
        "a bulk request has more operations than are done at once",
        "send fewer at a time; `/ServiceProviderConfig` says how many",
    ),
    ("scim-count", "`count` is not a number of resources", "ask for 1 to 1000"),
    (
        "scim-cursor",
        "a cursor is not of this list",
        "begin again without one; all other parameters stay the same from page to page",
    ),
    ("scim-cursor-expired", "the resource at which a cursor stood is gone", "begin again without a cursor"),
    (
        "scim-filter",
        "a filter cannot be read or says nothing about what it names",
        "correct it as RFC 7644 §3.4.2.2 has it; the message says where",
    ),
    (
        "scim-media-type",
        "a body is sent as something else than SCIM",
        "send it as `application/scim+json` or `application/json`",
    ),
    (
        "scim-mutability",
        "what is the hub's to say, or must be there, is to be changed or removed",
        "leave it out; to have somebody leave, set `active` to `false`",
    ),
    (
        "scim-no-target",
        "an operation of a PATCH names no value, or one that is not there",
        "name it by a path; add what is not there instead of replacing it",
    ),
    (
        "scim-not-spoken",
        "a part of SCIM is asked for that the hub does not have",
        "use what `/ServiceProviderConfig` and `/ResourceTypes` say",
    ),
    (
        "scim-path",
        "a path names nothing that the resource has",
        "correct it; extensions of your own are named in the settings of the integration",
    ),
    (
        "scim-syntax",
        "a body is not the message or the resource that is expected, or has a name that nothing is called",
        "correct it as RFC 7644 has it; the message says what",
    ),
    (
        "scim-too-many",
        "too many resources would have to be looked at for this list",
        "ask for a name or an id, or page by cursor",
    ),
    (
        "scim-value",
        "a value is not one that its attribute takes",
        "correct it at the source; the message says which",
    ),
    (
        "scim-version",
        "the resource has another version than the one that is to be changed",
        "read it again and repeat the request with its version",
    ),
];
