//! Codes of configuration and policies.

use super::Line;

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    ("config-dangling", "a name is used that nothing bears", "declare it, or correct the name"),
    ("config-duplicate", "something is declared twice", "remove one of the two"),
    (
        "config-empty",
        "the folder has no configuration",
        "name the folder with the `.toml` and `.cedar` files",
    ),
    ("config-encoding", "a file is not UTF-8", "save it as UTF-8"),
    ("config-link", "a link leads out of the folder", "put the file itself into the folder"),
    ("config-missing", "something that must be said is not", "add the key that the message names"),
    (
        "config-no-owner",
        "nobody, or only one person, answers for the integration",
        "name an `owner`, somebody else as `backup`, and whatever else the message says is missing",
    ),
    ("config-read", "a file or the folder cannot be read", "check its path and that you may read it"),
    (
        "config-secret",
        "a secret stands in plain text",
        "remove it and set it with `bailiwick credential set`; it is known to whoever read the file",
    ),
    ("config-syntax", "a file is not TOML", "mend the place that is named"),
    (
        "config-too-long",
        "a file is longer than a configuration may be",
        "split it, and keep data out of the folder",
    ),
    (
        "config-too-many",
        "the folder has more files than a configuration may have",
        "keep only configuration in it",
    ),
    (
        "config-unknown-key",
        "a key means nothing here",
        "correct it; the message names what was probably meant",
    ),
    ("config-value", "a value is of the wrong type or out of range", "write what the message says"),
    ("policy", "the policies are not valid", "mend each place that is named; nothing was changed"),
    ("policy-duplicate-id", "two policies have the same `@id`", "give each its own"),
    ("policy-evaluation", "a policy cannot be evaluated for somebody", "guard what it reads with `has`"),
    (
        "policy-facts",
        "the facts about somebody do not fit the policies",
        "look at the attributes with `bailiwick identity show`",
    ),
    (
        "policy-missing-attribute",
        "an attribute that a policy reads is missing",
        "guard it with `has`, or let the source promise it",
    ),
    ("policy-never-applies", "a policy can never apply", "correct its condition, or remove it"),
    (
        "policy-no-action",
        "a policy names no action",
        "say `action == Action::\"hold\"`, `\"approve\"`, `\"access\"` or `\"exercise\"`",
    ),
    ("policy-no-id", "a policy has no `@id`", "give it one: approvals and findings refer to it"),
    ("policy-syntax", "a policy is not Cedar", "mend the place that is named"),
    ("policy-type", "a policy compares values of different types", "compare values of the same type"),
    (
        "policy-undecidable",
        "facts that a policy needs are missing",
        "complete them at the source, or guard the policy with `has`",
    ),
    ("policy-unguarded-attribute", "a policy reads an attribute that may be missing", "guard it with `has`"),
    (
        "policy-unknown-attribute",
        "a policy reads an attribute that no source promises",
        "correct the name, or add it to the contract of a source",
    ),
    (
        "policy-unknown-entitlement",
        "a policy names an entitlement that is not declared",
        "declare it, or correct the name",
    ),
    (
        "policy-unknown-resource",
        "a policy names a kind of resource that is not declared",
        "declare it as `[resource.NAME]`, or correct the name",
    ),
    ("policy-unknown-value", "a policy compares with a value that cannot occur", "correct the value"),
    (
        "policy-vocabulary",
        "the words for policies contradict each other",
        "look at the message: two declarations give one name two types",
    ),
    (
        "policy-wrong-type",
        "an attribute has another type than the policy expects",
        "correct its type in the contract of the source",
    ),
];
