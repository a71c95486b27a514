//! Codes of people who are one person, or are not.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "identity-ambiguous",
        "two identities may be one person: a source says so and may not alone, or they share a value that is one person's alone",
        "let two people join them with `bailiwick identity join`, or have the value corrected at its source",
    ),
    (
        "join-changed",
        "what joining or splitting would do is not what the plan shows any more",
        "ask again, then let a second person approve the new plan",
    ),
    (
        "join-excepted",
        "somebody who is to be joined or split has access until an end, or asks for it",
        "end it with `bailiwick access end EXCEPTION`, or wait for its end, then ask again",
    ),
    (
        "join-no-person",
        "only people are joined or split",
        "name two people; `bailiwick identity list` shows them",
    ),
    (
        "join-no-reason",
        "it is not said why two identities are to be joined or split",
        "say why, with `--reason`",
    ),
    (
        "join-same",
        "both names are of one identity",
        "`bailiwick identity show WHO` names all keys of somebody",
    ),
    (
        "join-unsettled",
        "a change for one of both is under way or in doubt",
        "wait until `bailiwick plan list` shows its end, then ask again",
    ),
    (
        "name-not-kept",
        "the name is not kept: it was released, or its time is over",
        "`bailiwick name list` shows the names that are kept",
    ),
    (
        "name-release-beneficiary",
        "who waits for a name wants it released, or who acts for them",
        "let two people release it who do not",
    ),
    ("name-release-no-reason", "it is not said why a name is to be given again", "say why, with `--reason`"),
    (
        "name-release-same-person",
        "one person alone wants a name released, or two who act for each other",
        "let another person run the same `bailiwick name release`",
    ),
    (
        "name-release-unknown",
        "it is not known which person the operator is, or they have left",
        "an administrator says who they are with `bailiwick operator add NAME --person SOURCE/KEY`",
    ),
    (
        "name-reserved",
        "an account would get the name of somebody who left; nothing is made there",
        "give another name at the source, or let two people run `bailiwick name release`",
    ),
    (
        "previous-key-unknown",
        "a record says by which key its person was known before, and nobody is",
        "correct the key at the source, or deliver the other source; join two identities by hand with `bailiwick identity join`",
    ),
    (
        "split-not-joined",
        "the key was not joined to that identity",
        "`bailiwick identity show WHO` names all keys of somebody",
    ),
    (
        "split-own-key",
        "the key is the one by which the identity was first known, and stays with it",
        "split another key off, or join the other way round",
    ),
    (
        "stay-gone",
        "somebody who has left is to stay",
        "have the source say that they are here; they begin anew with what policies give",
    ),
    (
        "stay-no-end",
        "somebody is to stay of whom no end is known",
        "`bailiwick identity leaving --within 365d` shows the ends that are known",
    ),
    ("stay-no-reason", "it is not said why somebody stays", "say why, with `--reason`"),
];
