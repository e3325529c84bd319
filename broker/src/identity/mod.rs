//! Who a peer is and what that allows: the door to keys, credentials and the access rules. It holds no logic.

mod access;
mod apikey;
mod credential;
mod keyfile;
mod keystore;
mod revocation;
mod who;

pub(crate) use access::Anonymous;
pub use access::{may_publish, may_subscribe};
pub use apikey::{ApiKey, KeyId};
pub(crate) use credential::authenticate;
pub use keyfile::StoredKey;
pub(crate) use keystore::STRATEGY as APIKEY;
pub use keystore::{KeyError, KeyStore};
pub(crate) use revocation::{KeyBinding, LiveKeys};
pub use who::{Identity, Rights};
