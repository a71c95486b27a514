//! Ids and secrets that look random and follow from the seed alone.
//!
//! They are predictable by design: never use them for anything but a simulation.

/// A secret that the lab handed out. No `Debug`, `Display` or `Serialize`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Secret(String);

impl Secret {
    /// A secret that somebody chose.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret's text, to hand it out once or to compare it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Lets a secret be looked up by the text that somebody presents.
impl std::borrow::Borrow<str> for Secret {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A counter on a seed.
#[derive(Clone)]
pub(crate) struct Mint {
    seed: u64,
    count: u64,
}

impl Mint {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The next id, in the form of a UUID (version and variant bits of RFC 9562 §5.4).
    pub(crate) fn id(&mut self) -> String {
        let (a, b) = self.pair();
        let a = (a & 0xffff_ffff_ffff_0fff) | 0x4000;
        let b = (b & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xffff,
            b >> 48,
            b & 0xffff_ffff_ffff
        )
    }

    /// The next secret.
    pub(crate) fn secret(&mut self) -> Secret {
        let (a, b) = self.pair();
        Secret(format!("lab_{a:016x}{b:016x}"))
    }

    fn pair(&mut self) -> (u64, u64) {
        self.count += 1;
        let a = mix(self.seed ^ mix(self.count));
        (a, mix(a ^ self.count.rotate_left(32)))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads every bit.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A short digest for checks inside the simulation (FNV-1a, then spread). Not a cryptographic hash.
pub(crate) fn fingerprint(seed: u64, parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ mix(seed);
    for part in parts {
        for byte in *part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = mix(hash ^ part.len() as u64);
    }
    hash
}
