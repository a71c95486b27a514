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
        "feed-empty-value",
        "a value that is promised is empty",
        "nothing was changed; complete the record at the source and import again",
    ),
    (
        "feed-held",
        "a delivery broke a promise of its source and is held",
        "look at the finding, mend the file at the source and import again; nobody loses access",
    ),
    ("feed-missing", "there is no delivery to read", "deliver one with `bailiwick import SOURCE FILE`"),
    (
        "feed-missing-column",
        "a column that the settings name is not in the header",
        "nothing was changed; deliver the column, or correct its name in the settings of the integration",
    ),
    ("feed-no-key", "a record has no key", "nothing was changed; give it one at the source and import again"),
    (
        "feed-ragged-row",
        "a line has more or fewer fields than the header",
        "nothing was changed; look for a separator inside a value, and mend it at the source",
    ),
    ("feed-too-few-rows", "there are fewer records than the source promises", COMPLETE),
    (
        "feed-too-much-change",
        "more people would change than the source promises",
        "nothing was changed; if it is right, raise `max_change_percent` in the contract of the source",
    ),
    ("feed-too-much-loss", "more people would be missing or leave than the source promises", COMPLETE),
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
];
