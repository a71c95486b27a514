//! The device of an operator: makes codes from what an `otpauth://` address says, and nothing else.

use aws_lc_rs::hmac;
use bailiwick_core::time::Timestamp;
use bailiwick_store::entities::Operator;

use super::World;

/// A device.
#[derive(Clone)]
pub struct Phone(Vec<u8>);

impl Phone {
    /// One that has read the address.
    pub fn reads(address: &str) -> Self {
        assert!(address.starts_with("otpauth://totp/Bailiwick:"), "{address}");
        let secret = address.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let (mut bytes, mut word, mut bits) = (Vec::new(), 0_u32, 0);
        for letter in secret.bytes() {
            let digit = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
            (word, bits) = (word << 5 | u32::from(digit), bits + 5);
            if bits >= 8 {
                bits -= 8;
                bytes.push((word >> bits & 0xff) as u8);
            }
        }
        Self(bytes)
    }

    /// The code that it shows.
    pub fn code(&self, now: Timestamp) -> String {
        let step = u64::try_from(now.as_second() / 30).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 0x0f);
        let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}

impl World {
    /// Somebody who asks, Bo, and somebody who approves with a device, Cy.
    pub async fn asker_and_approver(&self) -> (Operator, Operator, Phone) {
        let asker = self.operator_with("asker", &["operator"], Some("hr/2"), 365).await;
        let approver = self.operator_with("approver", &["approver"], Some("hr/3"), 365).await;
        let address = self.engine.enrol("approver", &approver, None).await.unwrap();
        (asker, approver, Phone::reads(address.address()))
    }
}
