//! The verifier of a password: what a server keeps to check a password that it does not know.

use std::num::NonZeroU32;

use aws_lc_rs::{
    digest, hmac,
    pbkdf2::{PBKDF2_HMAC_SHA256, derive},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// As many as PostgreSQL itself takes.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// The SCRAM-SHA-256 verifier (RFC 5802 §3) in the form of PostgreSQL, which is that of RFC 5803. `None` for
/// a password that is not printable ASCII, of which SASLprep (RFC 4013) might make another one.
pub(super) fn verifier(password: &[u8], salt: &[u8; 16]) -> Option<String> {
    if password.is_empty() || !password.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return None;
    }
    let mut salted = Zeroizing::new([0_u8; 32]);
    derive(PBKDF2_HMAC_SHA256, ROUNDS, salt, password, &mut *salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
    let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [&salt[..], stored.as_ref(), server.as_ref()].map(|b| STANDARD.encode(b));
    Some(format!("SCRAM-SHA-256${ROUNDS}:{salt}${stored}:{server}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_that_of_the_standard() {
        // RFC 7677 §3 has the salt, the rounds and the password; the server's signature of its messages
        // follows from the server key.
        let salt: [u8; 16] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = verifier(b"pencil", &salt).unwrap();
        let (head, server) = verifier.rsplit_once(':').unwrap();
        assert!(head.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{verifier}");
        let messages = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(server).unwrap());
        let signed = STANDARD.encode(hmac::sign(&key, messages.as_bytes()));
        assert_eq!(signed, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_password_that_could_become_another_one_is_not_taken() {
        for password in ["", "pässword", "a\nb", "a\0b"] {
            assert_eq!(verifier(password.as_bytes(), &[0; 16]), None);
        }
    }
}
