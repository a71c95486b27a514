//! Codes of people who are made ready to go, and are made to.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "fired-still-here",
        "a source goes on saying that somebody is here who was fired; nothing follows from it",
        "have the record ended at the source, give it a first day after that, or let two people run `bailiwick termination lift`",
    ),
    (
        "termination-armed",
        "somebody is to be armed who is armed already",
        "look at it with `bailiwick termination list`",
    ),
    (
        "termination-expired",
        "somebody is to be fired whose time of being armed is over",
        "arm them again with `bailiwick termination arm`, then fire: both take one person",
    ),
    (
        "termination-gone",
        "somebody is to be armed who has left",
        "look at their case with `bailiwick case list`",
    ),
    (
        "termination-no-person",
        "what is to be armed is no person",
        "end an integration with `bailiwick kill NAME`",
    ),
    (
        "termination-not-armed",
        "a termination was fired, taken back or lapsed before",
        "look at it with `bailiwick termination show`; arm them again if it must be",
    ),
    (
        "termination-not-owed",
        "there is nothing to lift: what the source says of them counts",
        "nothing; the next delivery of the source decides",
    ),
    (
        "termination-own",
        "somebody wants to arm themselves, or somebody for whom they act",
        "let somebody else with the role `terminator` do it",
    ),
    (
        "termination-same-person",
        "one person alone wants that a source counts again for somebody who was fired",
        "let a second person with the role `terminator` run the same",
    ),
    (
        "termination-too-long",
        "somebody would be armed for too long",
        "give fewer hours, and arm again when they are over",
    ),
    (
        "terminator-unknown",
        "it is not known which person the operator is who wants to see or arm somebody",
        "add the operator again with `--person SOURCE/KEY`",
    ),
];
