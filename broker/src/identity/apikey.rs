//! An API key as text: an id that may be shown and a secret that may not; parsing never panics and never logs.

use std::fmt;

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq as _;

/// How every key begins, so that people and secret scanners know one when they see it.
const PREFIX: &str = "cb_";

/// Bytes of an id: short enough to type, and four billion are enough to tell one broker's keys apart.
const ID_BYTES: usize = 4;

/// Bytes of a secret: 256 bits, which nobody guesses, so that plain SHA-256 is enough to store it by.
const SECRET_BYTES: usize = 32;

/// The part of a key that names it: eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_BYTES]);

impl KeyId {
    /// Parses an id as `token list` shows it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A whole key, `cb_<id>_<secret>`. Its `Debug` shows the id alone; [`ApiKey::reveal`] is the one way to the text.
#[derive(Clone)]
pub struct ApiKey {
    id: KeyId,
    secret: [u8; SECRET_BYTES],
}

impl ApiKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    ///
    /// Whatever keeps the system from giving any.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut id = [0; ID_BYTES];
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        Ok(Self { id: KeyId(id), secret })
    }

    /// Parses a key's text. `None` if it is not one; the reason would help only those who guess.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = KeyId::parse(id)?;
        if secret.len() != 2 * SECRET_BYTES {
            return None;
        }
        let secret = HEXLOWER.decode(secret.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { id, secret })
    }

    /// The part that names the key.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key's text, which is a secret.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, HEXLOWER.encode(&self.secret))
    }

    /// What is stored of the secret.
    pub(super) fn digest(&self) -> Digest {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.secret);
        let mut bytes = [0; SECRET_BYTES];
        bytes.copy_from_slice(digest.as_ref());
        Digest(bytes)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The SHA-256 of a secret. There is no `==`: digests are compared in constant time or not at all.
#[derive(Debug, Clone)]
pub(super) struct Digest([u8; SECRET_BYTES]);

impl Digest {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self(HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }

    pub(super) fn to_text(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Whether the digests are the same, in a time that does not depend on where they differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_survives_its_text() {
        let key = ApiKey::random().expect("randomness");
        let text = key.reveal();
        assert_eq!(text.len(), 3 + 8 + 1 + 64);
        let parsed = ApiKey::parse(&text).expect("a key");
        assert_eq!(parsed.id(), key.id());
        assert!(parsed.digest().matches(&key.digest()));
    }

    #[test]
    fn two_keys_have_nothing_in_common() {
        let (a, b) = (ApiKey::random().expect("randomness"), ApiKey::random().expect("randomness"));
        assert_ne!(a.id(), b.id());
        assert!(!a.digest().matches(&b.digest()));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = ApiKey::random().expect("randomness");
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.id().to_string()));
        assert!(!shown.contains(&key.reveal()[12..20]));
    }

    #[test]
    fn the_digest_is_sha_256_of_the_secrets_bytes() {
        let text = format!("cb_00000000_{}", "00".repeat(32));
        let digest = ApiKey::parse(&text).expect("a key").digest();
        assert_eq!(digest.to_text(), "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
    }

    #[test]
    fn what_is_almost_a_key_is_none() {
        let good = format!("cb_0123abcd_{}", "5f".repeat(32));
        assert!(ApiKey::parse(&good).is_some());
        for bad in [
            String::new(),
            "cb_".to_owned(),
            good[1..].to_owned(),
            good.to_uppercase(),
            format!("{good}0"),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
            good.replace("cb_0123abcd", "cb_0123abc"),
            good.replace("cb_0123abcd", "cb_../../ab"),
        ] {
            assert!(ApiKey::parse(&bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_it_takes_it_gives_back(text in "(cb_)?[0-9a-f_]{0,80}|.{0,100}") {
            if let Some(key) = ApiKey::parse(&text) {
                prop_assert_eq!(key.reveal(), text);
            }
        }
    }
}
