//! What systems sign their hints with (Standard Webhooks 1.0.0): a secret that follows from the tenant's key, so that it
//! is kept nowhere.
//!
//! The secret of an integration is HMAC-SHA-256 of its name and of which one it is, counted from 1, under a key derived
//! from the tenant's. Absent on purpose: any way to get it but this once, when it is made.

use aws_lc_rs::hmac;
use bailiwick_core::id::{IntegrationName, Tenant};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::SealKey;

/// Sets these secrets apart from everything else that is made with the same key.
const LABEL: &[u8] = b"bailiwick/hook/v1\n";
/// The most signatures of one hint that are looked at: a sender has two while it changes its secret.
const MOST: usize = 8;

/// The secret in the moment in which it is made: `whsec_` and base 64. No `Debug`; wiped when dropped.
pub struct HookSecret(Zeroizing<String>);

impl HookSecret {
    /// The text, to be shown this once.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A hint as it came.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, seconds since the epoch, as it stands there.
    pub timestamp: &'a str,
    /// `webhook-signature`: signatures with a space between them.
    pub signature: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl SealKey {
    /// The secret of an integration; the same number gives the same one.
    pub(crate) fn hook_secret(
        &self,
        tenant: &Tenant,
        integration: &IntegrationName,
        number: u64,
    ) -> HookSecret {
        let secret = self.hook(tenant, integration, number);
        HookSecret(Zeroizing::new(format!("whsec_{}", STANDARD.encode(secret.as_ref()))))
    }

    /// Whether one of the signatures was made with the secret of that number.
    pub(crate) fn hook_signed(
        &self,
        tenant: &Tenant,
        integration: &IntegrationName,
        number: u64,
        hint: Signed<'_>,
    ) -> bool {
        signed(self.hook(tenant, integration, number).as_ref(), hint)
    }

    fn hook(&self, tenant: &Tenant, integration: &IntegrationName, number: u64) -> hmac::Tag {
        let about = bailiwick_core::digest::canonical(&(tenant, integration, number));
        hmac::sign(&self.attesting(), &[LABEL, &about].concat())
    }
}

/// Whether one of the signatures of `hint` was made with `secret`; only those of version `v1` are looked at. Each is
/// compared in the same time, whatever differs.
fn signed(secret: &[u8], hint: Signed<'_>) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let message = [hint.id.as_bytes(), b".", hint.timestamp.as_bytes(), b".", hint.body].concat();
    let signatures = hint.signature.split(' ').take(MOST).filter_map(|one| one.strip_prefix("v1,"));
    signatures.fold(false, |any, one| {
        let is = STANDARD.decode(one).is_ok_and(|tag| hmac::verify(&key, &message, &tag).is_ok());
        any | is
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: Signed<'static> = Signed {
        id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        timestamp: "1674087231",
        signature: "v1,5t/QYgppkyIjIHutBHMQVy3Ghy68cDvncCowsciurFo=",
        body: br#"{"type":"contact.created"}"#,
    };

    /// The vector on which two published implementations agree.
    #[test]
    fn a_signature_is_the_one_that_others_make() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let check = |hint: Signed<'_>, expect: bool| assert_eq!(signed(&secret, hint), expect);
        check(VECTOR, true);
        check(Signed { signature: &format!("v1a,xx v1,AAAA {}", VECTOR.signature), ..VECTOR }, true);
        check(Signed { id: "msg_2", ..VECTOR }, false);
        check(Signed { timestamp: "1674087232", ..VECTOR }, false);
        check(Signed { body: b"{}", ..VECTOR }, false);
        check(Signed { signature: "", ..VECTOR }, false);
        check(Signed { signature: &VECTOR.signature[3..], ..VECTOR }, false);
        check(
            Signed { signature: &format!("{} {}", "v1,AAAA ".repeat(8), VECTOR.signature), ..VECTOR },
            false,
        );
    }

    #[test]
    fn each_integration_and_each_number_has_a_secret_of_its_own() {
        struct Zeros;
        impl bailiwick_core::id::Entropy for Zeros {
            fn fill(&self, out: &mut [u8]) {
                out.fill(7);
            }
        }
        let (key, tenant) = (SealKey::generate(&Zeros), Tenant::single());
        let name = |name: &str| IntegrationName::new(name).unwrap();
        let of = |integration: &str, number| {
            key.hook_secret(&tenant, &name(integration), number).text().to_owned()
        };
        assert_eq!(of("chat", 1), of("chat", 1));
        assert_ne!(of("chat", 1), of("chat", 2));
        assert_ne!(of("chat", 1), of("crm", 1));
        let secret = STANDARD.decode(of("chat", 1).strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(secret.len(), 32);
    }
}
