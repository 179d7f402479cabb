//! Session tokens of IMDSv2. A token carries its instance and its end, signed, so that none need be kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// The longest life of a token in seconds (six hours), as in the EC2 user guide.
pub const MAX_TTL_SECONDS: u32 = 21_600;

/// Signs and checks tokens.
pub struct Tokens {
    key: Vec<u8>,
}

impl Tokens {
    /// Tokens signed with a secret of the state directory, so that they outlive the daemon.
    pub fn new(secret: &[u8]) -> Self {
        Self { key: secret.to_vec() }
    }

    /// A token for an instance that lives for `ttl` seconds from `now`.
    pub fn issue(&self, instance_id: &str, ttl: u32, now: Timestamp) -> String {
        let end =
            now.saturating_add(SignedDuration::from_secs(ttl.into())).unwrap_or(Timestamp::MAX).as_second();
        let mut token = end.to_be_bytes().to_vec();
        token.extend_from_slice(&self.mac(instance_id, end).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether this is a token of the instance's that still lives.
    pub fn valid(&self, token: &str, instance_id: &str, now: Timestamp) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((end, signature)) = bytes.split_first_chunk::<8>() else { return false };
        let end = i64::from_be_bytes(*end);
        now.as_second() < end && self.mac(instance_id, end).verify_slice(signature).is_ok()
    }

    fn mac(&self, instance_id: &str, end: i64) -> Hmac<Sha256> {
        // HMAC takes keys of any length, so this cannot fail.
        #[allow(clippy::expect_used)]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(instance_id.as_bytes());
        mac.update(&end.to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_its_instance_until_its_end() {
        let tokens = Tokens::new(b"secret");
        let now = Timestamp::UNIX_EPOCH;
        let token = tokens.issue("i-1", 60, now);
        let at = |seconds| now + SignedDuration::from_secs(seconds);
        assert!(tokens.valid(&token, "i-1", at(59)));
        assert!(!tokens.valid(&token, "i-1", at(60)));
        assert!(!tokens.valid(&token, "i-2", at(1)));
        assert!(!Tokens::new(b"other").valid(&token, "i-1", at(1)));
        for wrong in ["", "x", "AAAAAAAAAAA", "!!!!"] {
            assert!(!tokens.valid(wrong, "i-1", at(1)), "{wrong}");
        }
    }
}
