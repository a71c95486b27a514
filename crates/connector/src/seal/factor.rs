//! The secrets of second factors: sealed like credentials, and what is made of them (TOTP, RFC 6238).
//!
//! Absent on purpose: any way to get such a secret back in clear, but this once, when it is made.

use aws_lc_rs::{
    aead::{Aad, NONCE_LEN, Nonce},
    constant_time::verify_slices_are_equal,
    hmac,
};
use bailiwick_core::id::{Entropy, OperatorId, Tenant};
use zeroize::Zeroizing;

use super::{SealKey, Sealed};

/// Sets these secrets apart from sealed credentials.
const LABEL: &[u8] = b"bailiwick/factor/v1\n";
/// The length of a secret, bytes (RFC 4226 §4, R6).
const LENGTH: usize = 20;
/// Letters and digits of base 32 (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The secret of a second factor in the moment in which it is made: the address that a phone reads it from.
/// No `Debug`; wiped when dropped.
pub struct Enrolment(Zeroizing<String>);

impl Enrolment {
    /// The `otpauth://` address, to be shown this once.
    pub fn address(&self) -> &str {
        &self.0
    }
}

/// What an authenticator program shows at a step of 30 seconds, given the address that it took over; `None` when
/// there is no secret in it.
pub fn code_at(address: &str, step: i64) -> Option<Zeroizing<String>> {
    let (_, rest) = address.split_once("secret=")?;
    let mut secret = Zeroizing::new(Vec::with_capacity(LENGTH));
    let (mut word, mut bits) = (0_u32, 0_u32);
    for sign in rest.bytes().take_while(|sign| *sign != b'&') {
        let five = BASE32.iter().position(|known| *known == sign)?;
        (word, bits) = ((word << 5 | u32::try_from(five).ok()?) & 0xffff, bits + 5);
        if bits >= 8 {
            bits -= 8;
            secret.push(u8::try_from(word >> bits & 0xff).ok()?);
        }
    }
    (!secret.is_empty()).then(|| totp(&secret, u64::try_from(step).unwrap_or(0)))
}

impl SealKey {
    /// Makes a secret for an operator and seals it: it opens only for this tenant and operator.
    pub(crate) fn enrol(
        &self,
        tenant: &Tenant,
        operator: OperatorId,
        name: &str,
        entropy: &dyn Entropy,
    ) -> (Sealed, Enrolment) {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        // Room for the tag too: a buffer that grows leaves a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH + 16));
        bytes.resize(LENGTH, 0);
        entropy.fill(&mut bytes);
        let enrolment = Enrolment(address(name, &bytes));
        let aad = Aad::from(associated(tenant, operator));
        // Fails only above 64 GiB of plaintext; what could not be sealed must not be kept in clear.
        if self.cipher().seal_in_place_append_tag(Nonce::from(&nonce), aad, &mut *bytes).is_err() {
            bytes = Zeroizing::new(Vec::new());
        }
        (Sealed { key_id: self.id(), nonce: nonce.to_vec(), ciphertext: bytes.to_vec() }, enrolment)
    }

    /// Whether `code` is the one of this step. `None` when the secret does not open: it is another operator's,
    /// was altered, or was sealed with another key.
    pub(crate) fn is_code(
        &self,
        tenant: &Tenant,
        operator: OperatorId,
        sealed: &Sealed,
        step: i64,
        code: &str,
    ) -> Option<bool> {
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).ok()?;
        let mut bytes = Zeroizing::new(sealed.ciphertext.clone());
        let aad = Aad::from(associated(tenant, operator));
        let secret = self.cipher().open_in_place(nonce, aad, &mut bytes).ok()?;
        let right = totp(secret, u64::try_from(step).ok()?);
        Some(verify_slices_are_equal(right.as_bytes(), code.as_bytes()).is_ok())
    }
}

fn associated(tenant: &Tenant, operator: OperatorId) -> Vec<u8> {
    [LABEL, &bailiwick_core::digest::canonical(&(tenant, operator))].concat()
}

/// The code of a step: six digits (RFC 6238 with HMAC-SHA-1, RFC 4226 §5.3).
fn totp(secret: &[u8], step: u64) -> Zeroizing<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 0x0f);
    let word = tag[offset..offset + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    Zeroizing::new(format!("{:06}", (word & 0x7fff_ffff) % 1_000_000))
}

/// The address by which authenticator programs take a secret over.
fn address(name: &str, secret: &[u8]) -> Zeroizing<String> {
    let mut label = String::new();
    crate::broker::encode(name, &mut label);
    // Room for all of it: a buffer that grows leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(160 + label.len()));
    text.push_str("otpauth://totp/Bailiwick:");
    text.push_str(&label);
    text.push_str("?secret=");
    let (mut word, mut bits) = (0_u32, 0_u32);
    for byte in secret {
        (word, bits) = ((word << 8 | u32::from(*byte)) & 0xffff, bits + 8);
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(word >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(BASE32[(word << (5 - bits) & 31) as usize]));
    }
    text.push_str("&issuer=Bailiwick&algorithm=SHA1&digits=6&period=30");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_shows_what_the_hub_expects() {
        let secret: Vec<u8> = (0..20).collect();
        for step in [0, 1, 59_000_000] {
            let shown = code_at(&address("noor", &secret), step).unwrap();
            assert_eq!(*shown, *totp(&secret, u64::try_from(step).unwrap()));
        }
        assert!(code_at("otpauth://totp/x?issuer=y", 1).is_none());
    }

    /// Bytes that count on.
    struct Counting;

    impl Entropy for Counting {
        fn uuid(&self, _: u64) -> u128 {
            0
        }

        fn fill(&self, out: &mut [u8]) {
            for (byte, n) in out.iter_mut().zip(0..) {
                *byte = n;
            }
        }
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, SHA-1; there with eight digits.
        let check = |second: u64, expect: &str| {
            assert_eq!(*totp(b"12345678901234567890", second / 30), expect[2..], "{second}");
        };
        check(59, "94287082");
        check(1_111_111_109, "07081804");
        check(1_111_111_111, "14050471");
        check(1_234_567_890, "89005924");
        check(2_000_000_000, "69279037");
        check(20_000_000_000, "65353130");
    }

    #[test]
    fn secrets_are_written_in_base_32() {
        // RFC 4648 §10, without padding.
        let check = |bytes: &str, expect: &str| {
            let text = address("kim", bytes.as_bytes());
            let secret = text.split("secret=").nth(1).unwrap().split('&').next().unwrap();
            assert_eq!(secret, expect);
        };
        check("", "");
        check("f", "MY");
        check("fo", "MZXQ");
        check("foo", "MZXW6");
        check("foob", "MZXW6YQ");
        check("fooba", "MZXW6YTB");
        check("foobar", "MZXW6YTBOI");
    }

    #[test]
    fn a_secret_opens_for_its_operator_and_with_its_key_only() {
        let (one, other) = (OperatorId::from_bytes([1; 16]), OperatorId::from_bytes([2; 16]));
        let tenant = Tenant::single();
        let key = SealKey::generate(&Counting);
        let (sealed, enrolment) = key.enrol(&tenant, one, "kim", &Counting);
        let secret: Vec<u8> = (0..20).collect();
        assert!(
            enrolment.address().contains("secret=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&"),
            "{}",
            enrolment.address()
        );
        let kept = serde_json::to_string(&sealed).unwrap();
        assert!(!kept.contains("AAAQEAYEAUDAOCAJ"));
        let code = totp(&secret, 77);
        assert_eq!(key.is_code(&tenant, one, &sealed, 77, &code), Some(true));
        assert_eq!(key.is_code(&tenant, one, &sealed, 78, &code), Some(false));
        assert_eq!(key.is_code(&tenant, one, &sealed, 77, ""), Some(false));
        assert_eq!(key.is_code(&tenant, other, &sealed, 77, &code), None);
    }
}
