//! The sentences of the contract, by name: what the kit tests, and what is tried on live systems.

macro_rules! sentences {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        /// A sentence of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sentence {
            $(#[doc = $text] $variant,)*
        }

        impl Sentence {
            /// All sentences, in the order of the report.
            pub const ALL: [Self; 18] = [$(Self::$variant),*];

            /// The sentence.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

sentences! {
    DeclaredIsImplemented = "declared is implemented";
    CheckChangesNothing = "check changes nothing";
    ListVisitsEachOnce = "list visits each once";
    SaysWhenPartial = "says when partial";
    GetAgreesWithList = "get agrees with list";
    ApplyThenGetHolds = "apply then get holds";
    SameKeyOnce = "same key once";
    StaleIsRefused = "stale precondition refused";
    AlreadySo = "what is so already answers so";
    UnknownAttributeRefused = "unknown attribute refused";
    LostAnswerIsUnknown = "lost answer is unknown";
    NeverWritesAgain = "never writes again by itself";
    RefusalHasNoEffect = "refusal has no effect";
    IdentifiersAreKept = "identifiers keep bytes and case";
    TriedTells = "a tried credential tells who is let in";
    NewsTells = "news tells what changed";
    AuditTells = "the audit log tells who changed what";
    NothingSecretInDebug = "nothing secret in debug";
}
