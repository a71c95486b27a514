//! Codes of deliveries. A delivery with a fault is held whole: it changes nothing.

use super::Line;

/// What to do about a delivery that is cut off.
const COMPLETE: &str =
    "nothing was changed and nobody loses access; get the complete file and import it again";

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "feed-bad-day",
        "a value is not a day",
        "nothing was changed; mend the record at the source, or set the date format in the contract",
    ),
    (
        "feed-bad-encoding",
        "the file is in another encoding than is said",
        "nothing was changed; save the file in that encoding, or set `encoding` in the settings",
    ),
    (
        "feed-bad-quote",
        "a quotation mark is not closed or stands inside a value",
        "nothing was changed; mend the line at the source and import again",
    ),
    (
        "feed-bad-value",
        "a value is not of its attribute's type",
        "nothing was changed; mend the record at the source and import again",
    ),
    ("feed-changed", "the file was replaced while it was read", "import again; nothing was changed"),
    (
        "feed-cohort-change",
        "more people who have something in common would change than the source promises",
        "nothing was changed; look at it with `bailiwick batch show`, then correct it, or let two people release it",
    ),
    (
        "feed-cohort-loss",
        "more people who have something in common would be missing or leave than the source promises",
        "nothing was changed and nobody loses access; get the complete file, or let two people release it",
    ),
    (
        "feed-double-column",
        "the header has a column twice",
        "nothing was changed; remove one of the two at the source",
    ),
    (
        "feed-duplicate-key",
        "two records have the same key",
        "nothing was changed; remove one of the records at the source and import again",
    ),
    (
        "feed-duplicate-value",
        "two records share a value that is one person's alone",
        "nothing was changed; find out whether they are the same person and mend the records at the source",
    ),
    (
        "feed-empty-value",
        "a value that is promised is empty",
        "nothing was changed; complete the record at the source and import again",
    ),
    (
        "feed-held",
        "a delivery broke a promise of its source and is held",
        "look at the finding, mend the file at the source and import again; nobody loses access",
    ),
    (
        "feed-in-part",
        "a source that is read did not show all of its people",
        "nothing was changed; look for a limit of the account that reads, or of the server, and give it leave to see all",
    ),
    ("feed-missing", "there is no delivery to read", "deliver one with `bailiwick import SOURCE FILE`"),
    (
        "feed-missing-column",
        "a column that the settings name is not in the header",
        "nothing was changed; deliver the column, or correct its name in the settings of the integration",
    ),
    ("feed-no-key", "a record has no key", "nothing was changed; give it one at the source and import again"),
    (
        "feed-not-held",
        "a delivery is to be released that is not held",
        "look at it with `bailiwick batch show`; what was accepted later counts",
    ),
    (
        "feed-not-seen",
        "a delivery is to be released that is not what was seen",
        "look at it again with `bailiwick batch show`, and release with the digest that it shows",
    ),
    (
        "feed-overdue",
        "a source promises a delivery every so many hours, and none was accepted for longer",
        "see that it is delivered; who left since the last one still has their access",
    ),
    (
        "feed-privileged-change",
        "somebody would get power over others because an attribute changes",
        "nothing was changed; find out who changed it at the source, then correct it, or let two people release it",
    ),
    (
        "feed-quiet",
        "a source answers, and has said nothing new for longer than `max_quiet_hours` of its contract",
        "see that what it shows is still kept up to date; it closes when something new is said",
    ),
    (
        "feed-ragged-row",
        "a line has more or fewer fields than the header",
        "nothing was changed; look for a separator inside a value, and mend it at the source",
    ),
    (
        "feed-release-beneficiary",
        "who would get power over others by a delivery wants to release it, or acts for them",
        "let somebody else release it",
    ),
    (
        "feed-release-form",
        "what is wrong with a held delivery are its records, and nobody releases that",
        "mend them at the source and import again",
    ),
    (
        "feed-release-same-person",
        "one person alone wants to release a held delivery",
        "let a second person with the role `admin` or `approver` run the same",
    ),
    (
        "feed-replaced",
        "the feed holds another delivery by now than the one that is to be released",
        "import the one that is meant again, and look at it",
    ),
    (
        "feed-replayed",
        "a delivery was accepted before others, and would bring back people who have left by those",
        "nobody got access by it; have the source deliver how it is now, or, if it has taken ends back, let two people release it",
    ),
    (
        "feed-stale",
        "the same delivery was accepted before, longer ago than new ones are promised",
        "nothing was changed; see why the source exports an old state, or let two people release it",
    ),
    ("feed-too-few-rows", "there are fewer records than the source promises", COMPLETE),
    (
        "feed-too-much-change",
        "more people would change than the source promises",
        "nothing was changed; if it is right, raise `max_change_percent` in the contract of the source",
    ),
    ("feed-too-much-loss", "more people would be missing or leave than the source promises", COMPLETE),
    (
        "feed-unknown-status",
        "what a record says of somebody's employment is not in the contract",
        "nothing was changed; mend the record at the source, or list the value under `status` in the contract",
    ),
    (
        "feed-unwritable",
        "the delivery cannot be stored in the data folder",
        "check that there is space and that the hub may write there; nothing was changed",
    ),
    (
        "feed-wrong-type",
        "a value is not of the type that is promised",
        "nothing was changed; mend the record at the source and import again",
    ),
    (
        "releaser-unknown",
        "it is not known which person the operator is who wants to release a delivery",
        "add the operator again with `--person SOURCE/KEY`",
    ),
    (
        "source-not-delivered",
        "nothing is delivered of this source",
        "`bailiwick source list` says how it comes; `bailiwick source read SOURCE` reads one that the hub reads",
    ),
    (
        "source-not-read",
        "this source is not read by the hub itself",
        "`bailiwick source list` says how it comes; `bailiwick import SOURCE FILE` delivers one that is delivered",
    ),
];
