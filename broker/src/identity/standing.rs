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
}

/// The keys that there are, for whoever ends what stands on others.
#[derive(Debug)]
pub(crate) struct Roll(HashMap<KeyId, Rights>);

impl Roll {
    pub(super) fn of(keys: &[StoredKey]) -> Self {
        Self(keys.iter().map(|key| (key.id, key.rights)).collect())
    }

    /// Whether the key that a peer stands on is there still, with every right that the peer has of it.
    pub(crate) fn bears(&self, standing: &Standing) -> bool {
        let Some((id, rights)) = *standing.0.lock() else { return true };
        self.0.get(&id).is_some_and(|left| left.bridge || !rights.bridge)
    }
}
