//! Codes of signing in: passkeys, the provider, tokens of programs.

use super::Line;

/// What to do about an ID token that is not what it must be.
const PROVIDER: &str = "sign in once more; if it stays so, the provider is set up wrongly for this hub, or somebody is in its place";
/// What to do about an answer that does not count.
const AGAIN: &str =
    "try once more from the page of the hub itself; if it stays so, use another passkey or a link";

/// Code, meaning and what to do, by code.
pub(super) const LINES: &[Line] = &[
    (
        "id-token-algorithm",
        "an ID token is signed in a way that is not taken, or not at all",
        "let the provider sign for this client with RS256, PS256, ES256 or EdDSA",
    ),
    ("id-token-audience", "an ID token is for another client than this hub", PROVIDER),
    (
        "id-token-issuer",
        "an answer or an ID token is of somebody else than the provider",
        "compare `--issuer` with what the provider calls itself, to the letter",
    ),
    ("id-token-key", "an ID token is signed with a key that the provider does not publish", PROVIDER),
    ("id-token-malformed", "what the provider gives is no ID token", PROVIDER),
    ("id-token-nonce", "an ID token is of another attempt to sign in", PROVIDER),
    ("id-token-signature", "the signature of an ID token is not the provider's", PROVIDER),
    (
        "id-token-time",
        "an ID token is too old or not valid yet",
        "compare the clocks of the hub and of the provider",
    ),
    (
        "no-provider",
        "no provider is configured to sign in by",
        "sign in by a passkey or a link, or run `bailiwick serve --issuer URL --client-id ID`",
    ),
    (
        "no-url",
        "the hub does not know under which address browsers reach it",
        "run it with `bailiwick serve --url https://hub.example`",
    ),
    (
        "operator-subject",
        "who an operator is for a provider is not said as it must be",
        "say `--subject ISSUER SUB`: the provider's address and the `sub` that it has for them",
    ),
    (
        "operator-subject-taken",
        "the provider means another operator by that",
        "look at `bailiwick operator list`; end the other one first if it is the same person",
    ),
    (
        "passkey-algorithm",
        "an authenticator makes no key that is taken",
        "use one that makes ES256, Ed25519 or RS256 keys",
    ),
    (
        "passkey-attestation",
        "an authenticator sent a statement of its maker that was not asked for",
        "use another browser, or another authenticator",
    ),
    (
        "passkey-challenge",
        "what a passkey answered is for another challenge, too old, or was used before",
        AGAIN,
    ),
    (
        "passkey-counter",
        "a passkey counts less uses than are known: somebody may have copied it; it was refused",
        "ask its owner; remove it with `bailiwick passkey remove PASSKEY` and enrol another",
    ),
    ("passkey-malformed", "what the browser sent is no answer of a passkey", AGAIN),
    ("passkey-name", "a passkey cannot be called so", "give it a short name"),
    (
        "passkey-origin",
        "a passkey was used on another site than this hub",
        "look at the address in the browser; if it is the hub's, compare it with `bailiwick serve --url`",
    ),
    ("passkey-signature", "a signature is not of this passkey", AGAIN),
    (
        "passkey-taken",
        "the passkey is enrolled already, here or by somebody else",
        "use another authenticator, or remove the passkey first",
    ),
    ("passkey-unknown", "nobody here has this passkey", "enrol it at the console, under \"Signed in\""),
    (
        "passkey-unverified",
        "an authenticator did not make sure who used it",
        "use one that asks for a PIN, a finger or a face",
    ),
    (
        "provider-keys",
        "the keys that the provider publishes cannot be used",
        "look at its `jwks_uri`: it needs a key for signing with RS256, PS256, ES256 or EdDSA",
    ),
    (
        "provider-metadata",
        "what the provider publishes about itself cannot be used",
        "compare `--issuer` with what `/.well-known/openid-configuration` there says",
    ),
    (
        "provider-refused",
        "the provider signed nobody in",
        "look at the word that it gives, and at how this hub is registered there: its secret, and the address `/sign-in/callback`",
    ),
    (
        "provider-settings",
        "the provider is not said as it must be",
        "give `--issuer` with https and `--client-id`, both",
    ),
    (
        "provider-state",
        "an answer of the provider is not of a sign-in that this browser began within ten minutes",
        "begin again from the page of the hub; if you did not begin at all, close the page that you came from",
    ),
    (
        "provider-unknown",
        "the provider knows somebody whom nobody bound to an operator",
        "let an administrator run `bailiwick operator add NAME --subject ISSUER SUB` with what the message says",
    ),
    (
        "provider-unreachable",
        "the provider cannot be asked",
        "look whether the hub reaches it; a link of `bailiwick sign-in` works without it",
    ),
    ("sign-in-refused", "a code of a link opens nothing", "get another with `bailiwick sign-in`"),
    (
        "token-approves-nothing",
        "a program's token is to do what takes a person: approve, answer for something, or make a secret",
        "do it with your own profile, or at the console",
    ),
    (
        "token-scope",
        "a program's token may not do this",
        "make one with `bailiwick token create NAME --may operate --days 90`, if you may do it yourself",
    ),
    (
        "token-terms",
        "a token is not called so, or does not last so long",
        "give it a short name and at most a year",
    ),
    (
        "token-wider",
        "a token is to do more than who makes it",
        "make it with less, or let somebody make it who may do that",
    ),
    (
        "too-many",
        "somebody has as many of something as one may have",
        "end what is not used any more, at the console under \"Signed in\"",
    ),
    (
        "url-unusable",
        "the address of the hub is not one that browsers bind passkeys to",
        "say https and a name, such as `https://hub.example`; on one machine `http://localhost:7460`",
    ),
];
