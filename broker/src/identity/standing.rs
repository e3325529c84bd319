//! The API key that a session's peer stands on, noted where whoever follows the keys can look. It ends no session.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::apikey::KeyId;
use super::keyfile::StoredKey;
use super::who::{Identity, Rights};

/// What one session's peer stands on; nothing while it is anonymous.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<Option<(KeyId, Rights)>>);

impl Standing {
    /// Notes whom the peer is taken for from now on.
    pub(crate) fn note(&self, identity: Option<&Identity>) {
        *self.0.lock() = identity.map(|identity| (identity.id, identity.rights));
    }

    /// Ends what stands on a key that is no longer there, or no longer has every right that the peer has of it. Whether it
    /// did: until then the peer comes to stand on nothing else.
    pub(crate) fn fall(&self, roll: &Roll, end: impl FnOnce()) -> bool {
        let key = self.0.lock();
        let is_fallen = key.is_some_and(|(id, rights)| !roll.bears(id, rights));
        if is_fallen {
            end();
        }
        is_fallen
    }
}

/// The keys that there are, for whoever ends what stands on others.
#[derive(Debug)]
pub(crate) struct Roll(HashMap<KeyId, Rights>);

impl Roll {
    pub(super) fn of(keys: &[StoredKey]) -> Self {
        Self(keys.iter().map(|key| (key.id, key.rights)).collect())
    }

    fn bears(&self, id: KeyId, rights: Rights) -> bool {
        self.0.get(&id).is_some_and(|left| left.bridge || !rights.bridge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_to_stand_elsewhere_while_a_session_ends() {
        let standing = Standing(Mutex::new(KeyId::parse("0123abcd").map(|id| (id, Rights::default()))));
        assert!(standing.fall(&Roll::of(&[]), || assert!(standing.0.try_lock().is_none())));
        standing.note(None);
        assert!(!standing.fall(&Roll::of(&[]), || panic!("it stands on nothing")));
    }
}
