//! Codes of the log, of packs, and of what `bailiwick evidence check` finds.

use super::Line;

/// What to do about a log or database that was changed.
const RESTORE: &str =
    "restore the log folder and the database from the same backup, and find out who changed it";
/// What to do about a pack that is not what was exported.
const AGAIN: &str = "get the file again from where it was exported; do not trust this one";

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "checkpoint-malformed",
        "the text is not a checkpoint of this log",
        "give one that `bailiwick evidence checkpoint` wrote for this log",
    ),
    ("database-entry-changed", "an entry in the database is not the one in the log", RESTORE),
    ("database-entry-missing", "an entry of the log is not in the database", RESTORE),
    ("disclosure-mismatch", "a disclosed value is not the one that was logged", RESTORE),
    ("entry-not-canonical", "an entry is not in canonical form", RESTORE),
    (
        "entry-too-large",
        "an entry is larger than the log takes",
        "report it: records are bounded, so this must not happen",
    ),
    ("evidence", "the evidence log could not do it", "look at the code that the message begins with"),
    (
        "evidence-damaged",
        "the daily check found that the log or the database was changed behind the hub's back",
        RESTORE,
    ),
    ("journal-damaged", "the journal of the log is damaged", RESTORE),
    ("journal-missing", "the journal of the log is missing", RESTORE),
    ("key-malformed", "the text is not a key of a log", "give a vkey, or the file `log.vkey` or `log-key`"),
    ("log-behind-checkpoint", "the log is shorter than its own checkpoint", RESTORE),
    ("log-busy", "another process publishes at this moment", "try again in half a minute"),
    ("log-checkpoint-invalid", "the checkpoint is missing or not signed by the key of the log", RESTORE),
    ("log-closed", "the log was closed after a failure", "restart the hub; it goes on from what is durable"),
    ("log-entry-changed", "an entry of the log was changed", RESTORE),
    ("log-entry-missing", "an entry of the log is missing", RESTORE),
    ("log-entry-not-canonical", "an entry of the log is not in canonical form", RESTORE),
    ("log-file-damaged", "a file of the log is damaged", RESTORE),
    (
        "log-io",
        "a file of the log cannot be read or written",
        "check the disk, its space and that the hub may use the folder",
    ),
    ("log-locked", "another hub has the log open", "close the other hub"),
    (
        "log-out-of-range",
        "an entry was asked for that the log does not have",
        "ask for one below the size of the checkpoint",
    ),
    ("log-rewritten", "the log is not the one that an earlier checkpoint was of", RESTORE),
    ("log-shrunk", "the log is shorter than it was", RESTORE),
    ("log-tile-damaged", "a hash tile of the log is missing or was changed", RESTORE),
    ("note-malformed", "the text is not a signed note", "give the file as it was written, byte for byte"),
    (
        "note-not-signed",
        "no key that is trusted has signed the note",
        "give the key of this log with `--key`",
    ),
    ("note-signature-invalid", "the signature does not belong to the text", AGAIN),
    ("pack-checkpoint-invalid", "the checkpoint in the pack is not valid", AGAIN),
    ("pack-disclosure-invalid", "a value in the pack is not the one that was logged", AGAIN),
    ("pack-entry-invalid", "a record in the pack is not valid", AGAIN),
    ("pack-format-unknown", "the pack is of a format that is not known", "use a newer program to verify it"),
    (
        "pack-key-untrusted",
        "the pack is signed with another key than the one that was given",
        "compare the keys by another way, and give the right one with `--key`",
    ),
    ("pack-malformed", "a line of the pack is not understood", AGAIN),
    ("pack-manifest-invalid", "the manifest of the pack is not valid", AGAIN),
    ("pack-order", "the lines of the pack are not in order", AGAIN),
    ("pack-proof-invalid", "a record in the pack is not proven to be in the log", AGAIN),
    ("pack-record-count", "the pack has more or fewer records than it says", AGAIN),
    ("pack-seal-mismatch", "the seal of the pack does not fit its lines", AGAIN),
    ("pack-trailing-data", "something follows the end of the pack", AGAIN),
    ("pack-truncated", "the pack ends too early", "the file is cut off; get a complete copy"),
    ("pack-unreadable", "the pack cannot be read", "check the file and that you may read it"),
    ("proof-invalid", "the proof does not lead to the root of the log", AGAIN),
    ("proof-malformed", "the text is not a proof", AGAIN),
    ("row-changed", "a row is not what the log says it is", RESTORE),
    ("row-missing", "a row is missing that the log says is there", RESTORE),
    ("row-unexplained", "a row is there that no entry explains", RESTORE),
];
