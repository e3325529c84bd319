//! Which API key each session relies on, so that its revocation can end the session. It ends none itself.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::apikey::KeyId;
use super::keyfile::StoredKey;
use super::who::{Identity, Rights};

/// The key that one session's peer relies on; none while it is anonymous.
#[derive(Debug, Default)]
pub(crate) struct KeyBinding(Mutex<Option<(KeyId, Rights)>>);

impl KeyBinding {
    /// Notes whom the peer is taken for from now on.
    pub(crate) fn note(&self, identity: Option<&Identity>) {
        *self.0.lock() = identity.map(|identity| (identity.id, identity.rights));
    }

    /// Calls `end` if the key is revoked, or no longer has every right that the peer has of it. Whether it did. The peer
    /// changes to no other key until `end` has returned.
    pub(crate) fn end_if_revoked(&self, live: &LiveKeys, end: impl FnOnce()) -> bool {
        let key = self.0.lock();
        let is_revoked = key.is_some_and(|(id, rights)| !live.grants(id, rights));
        if is_revoked {
            end();
        }
        is_revoked
    }
}

/// The keys that are not revoked, with their rights.
#[derive(Debug)]
pub(crate) struct LiveKeys(HashMap<KeyId, Rights>);

impl LiveKeys {
    pub(super) fn of(keys: &[StoredKey]) -> Self {
        Self(keys.iter().map(|key| (key.id, key.rights)).collect())
    }

    fn grants(&self, id: KeyId, rights: Rights) -> bool {
        self.0.get(&id).is_some_and(|left| left.bridge || !rights.bridge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_changes_to_another_key_while_a_session_ends() {
        let binding = KeyBinding(Mutex::new(KeyId::parse("0123abcd").map(|id| (id, Rights::default()))));
        assert!(binding.end_if_revoked(&LiveKeys::of(&[]), || assert!(binding.0.try_lock().is_none())));
        binding.note(None);
        assert!(!binding.end_if_revoked(&LiveKeys::of(&[]), || panic!("it relies on no key")));
    }
}
