//! From what a peer shows to who it is; one function for every door. The secret goes no further than this.

use callboard_protocol::Refusal;
use callboard_protocol::error::Class;
use callboard_protocol::frame::Credential;

use super::{Identity, KeyBinding, KeyStore, keystore};

/// Tells who shows this credential, and notes it in `binding`.
///
/// # Errors
///
/// A refusal of class [`Class::NotAuthenticated`].
pub(crate) fn authenticate(
    keys: &KeyStore,
    credential: Credential<'_>,
    binding: &KeyBinding,
) -> Result<Identity, Refusal> {
    match credential.strategy {
        keystore::STRATEGY => keys.verify_for(credential.secret, binding).ok_or_else(|| {
            Refusal::new(
                Class::NotAuthenticated,
                "the API key is not known here: it is mistyped, revoked, or another broker's; \
                 `callboard token list` shows which keys there are",
            )
        }),
        _ => Err(Refusal::new(Class::NotAuthenticated, "this broker does not know that strategy; it knows `apikey`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_names_identity() {
        let home = tempfile::tempdir().expect("a directory");
        let keys = KeyStore::open(home.path()).expect("a store");
        let key = keys.create("reporter").expect("a key").reveal();
        let credential = Credential { strategy: "apikey", secret: &key };
        let identity = authenticate(&keys, credential, &KeyBinding::default()).expect("an identity");
        assert_eq!((identity.strategy, &*identity.key), ("apikey", "reporter"));
    }

    #[test]
    fn a_refusal_names_what_exists_and_never_the_secret() {
        let home = tempfile::tempdir().expect("a directory");
        let keys = KeyStore::open(home.path()).expect("a store");
        for strategy in ["jwt", "", "APIKEY", "apikey"] {
            let credential = Credential { strategy, secret: "hunter2" };
            let refusal = authenticate(&keys, credential, &KeyBinding::default()).expect_err("a refusal");
            assert_eq!(refusal.class, Class::NotAuthenticated);
            assert!(!refusal.sentence.contains("hunter2"));
            assert!(refusal.sentence.contains("apikey") || refusal.sentence.contains("token list"));
        }
    }
}
