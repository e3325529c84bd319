//! The API keys of a data directory, in one file that the running broker follows; never the secrets themselves.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use callboard_protocol::limits;
use parking_lot::Mutex;

use super::apikey::{ApiKey, KeyId};
use super::keyfile::{self, StoredKey};
use super::standing::{Roll, Standing};
use super::who::{Identity, Rights};
use crate::clock::Clock;
use crate::data_dir::{self, Hold, Mode};

/// How credentials of this kind are called on the wire.
pub(crate) const STRATEGY: &str = "apikey";

/// The file, in the data directory.
const FILE: &str = "keys.toml";

/// The API keys of one data directory.
///
/// Every [`verify`](Self::verify) looks whether the file was replaced since it was read (one `stat`), so that a new key
/// works, and a revoked one stops working, from the next authentication on. A running broker looks by itself as well, to
/// end what stands on a revoked one. A file that turned unreadable or wrong leaves the keys as they were and is told in
/// the log.
#[derive(Debug)]
pub struct KeyStore {
    data_dir: PathBuf,
    snapshot: Mutex<Snapshot>,
}

/// Why the keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A name that no identity can have.
    #[error("a key's name has 1 to {max} bytes and no control characters; choose another", max = limits::LABEL_BYTES_MAX)]
    BadName,
    /// The system refused to read or write. Whose fault it is, the system knows.
    #[error("the keys in {} cannot be read or changed: {source}; check the path, its permissions and the room on its disk", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not one that this program wrote.
    #[error("{} is not a file of keys: {sentence}; mend it, or move it away and make new keys", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the mistake is, and what was expected there.
        sentence: String,
    },
}

/// What was read last, and from which state of the file.
#[derive(Debug, Default)]
struct Snapshot {
    stamp: Option<Stamp>,
    keys: Vec<StoredKey>,
    /// Whether nobody has asked for [`news`](KeyStore::news) since it was read.
    is_news: bool,
    /// What keeps the file from being read now; told once.
    trouble: Option<String>,
}

/// What tells one content of the file from another. Every change replaces the file, so the inode alone would nearly do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl KeyStore {
    /// The keys of this data directory. Where there is no file there are no keys.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if there is a file that cannot be read.
    pub fn open(data_dir: impl Into<PathBuf>) -> Result<Self, KeyError> {
        let store = Self { data_dir: data_dir.into(), snapshot: Mutex::default() };
        *store.snapshot.lock() = store.read()?;
        Ok(store)
    }

    /// Whom this key's text belongs to; `None` for a key that is not known, or is none.
    #[must_use]
    pub fn verify(&self, text: &str) -> Option<Identity> {
        self.verify_for(text, &Standing::default())
    }

    /// The same for a session, whose peer stands on the key from then on. That is noted before the key can be revoked, so
    /// that nobody who looks for those who stand on it overlooks one who is just coming.
    pub(super) fn verify_for(&self, text: &str, standing: &Standing) -> Option<Identity> {
        let key = ApiKey::parse(text)?;
        let digest = key.digest();
        let mut snapshot = self.snapshot.lock();
        self.follow(&mut snapshot);
        let stored = snapshot.keys.iter().find(|stored| stored.id == *key.id())?;
        if !stored.digest.matches(&digest) {
            return None;
        }
        let StoredKey { id, rights, .. } = *stored;
        let identity = Identity { strategy: STRATEGY, key: stored.name.as_str().into(), id, rights };
        standing.note(Some(&identity));
        Some(identity)
    }

    /// Looks at the file. The keys, if they may be others than when this was last asked.
    pub(crate) fn news(&self) -> Option<Roll> {
        let mut snapshot = self.snapshot.lock();
        self.follow(&mut snapshot);
        std::mem::take(&mut snapshot.is_news).then(|| Roll::of(&snapshot.keys))
    }

    /// The keys, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the file cannot be read.
    pub fn list(&self) -> Result<Vec<StoredKey>, KeyError> {
        Ok(self.read()?.keys)
    }

    /// Makes a key without particular rights and stores its digest. What is returned is the only copy of the secret.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn create(&self, name: &str) -> Result<ApiKey, KeyError> {
        self.create_with(name, Rights::default())
    }

    /// The same with rights.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn create_with(&self, name: &str, rights: Rights) -> Result<ApiKey, KeyError> {
        if name.is_empty() || name.len() > limits::LABEL_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(KeyError::BadName);
        }
        let created = jiff::Timestamp::from_second(i64::try_from(Clock::start().now().value() / 1000).unwrap_or(0))
            .unwrap_or_default();
        let hold = self.hold()?;
        let mut keys = self.read()?.keys;
        let key = loop {
            let key = ApiKey::random().map_err(|error| self.failed(io::Error::other(error)))?;
            if keys.iter().all(|stored| stored.id != *key.id()) {
                break key;
            }
        };
        let (id, digest) = (*key.id(), key.digest());
        keys.push(StoredKey { id, name: name.to_owned(), created: created.to_string(), rights, digest });
        self.write(&hold, &keys)?;
        Ok(key)
    }

    /// Makes a key worthless. Tells its name, or `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn revoke(&self, id: &KeyId) -> Result<Option<String>, KeyError> {
        let hold = self.hold()?;
        let mut keys = self.read()?.keys;
        let Some(place) = keys.iter().position(|stored| stored.id == *id) else { return Ok(None) };
        let revoked = keys.remove(place);
        self.write(&hold, &keys)?;
        Ok(Some(revoked.name))
    }

    /// Reads the file again if it is not the one that was read last.
    fn follow(&self, snapshot: &mut Snapshot) {
        match self.newer(snapshot) {
            Ok(None) => snapshot.trouble = None,
            Ok(Some(newer)) => *snapshot = newer,
            Err(error) => {
                let trouble = Some(error.to_string());
                // It may go well the next time, and is looked at every second.
                if snapshot.trouble != trouble {
                    tracing::error!("{error}; until then the keys stay as they were");
                    snapshot.trouble = trouble;
                }
            }
        }
    }

    /// What the file says now, unless it is the one that was read last.
    fn newer(&self, snapshot: &Snapshot) -> Result<Option<Snapshot>, KeyError> {
        let stamp = stamp(&self.file()).map_err(|error| self.failed(error))?;
        if stamp == snapshot.stamp { Ok(None) } else { self.read().map(Some) }
    }

    fn read(&self) -> Result<Snapshot, KeyError> {
        let path = self.file();
        // The stamp first: if the file is replaced in between, the next look reads it again.
        let stamp = stamp(&path).map_err(|error| self.failed(error))?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Snapshot { is_news: true, ..Snapshot::default() });
            }
            Err(error) => return Err(self.failed(error)),
        };
        let keys = keyfile::parse(&text).map_err(|sentence| KeyError::Malformed { path, sentence })?;
        Ok(Snapshot { stamp, keys, is_news: true, trouble: None })
    }

    fn write(&self, hold: &Hold, keys: &[StoredKey]) -> Result<(), KeyError> {
        let text = keyfile::text(keys).map_err(|error| self.failed(io::Error::other(error)))?;
        hold.write(FILE, text.as_bytes(), Mode::Secret).map_err(|error| self.failed(error))
    }

    /// Two that change the keys at once take turns.
    fn hold(&self) -> Result<Hold, KeyError> {
        data_dir::hold(&self.data_dir).map_err(|error| self.failed(error))
    }

    fn file(&self) -> PathBuf {
        self.data_dir.join(FILE)
    }

    fn failed(&self, source: io::Error) -> KeyError {
        KeyError::Io { path: self.file(), source }
    }
}

fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(Some(Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), inode }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(home: &tempfile::TempDir) -> KeyStore {
        KeyStore::open(home.path().join("data")).expect("a store")
    }

    #[test]
    fn a_directory_without_keys_knows_nobody_and_is_not_made() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(&home);
        assert!(store.list().expect("a list").is_empty());
        assert_eq!(store.verify(&ApiKey::random().expect("randomness").reveal()), None);
        assert!(!home.path().join("data").exists());
    }

    #[test]
    fn a_running_store_follows_what_another_process_changes() {
        let home = tempfile::tempdir().expect("a directory");
        let (broker, command) = (open(&home), open(&home));
        let first = command.create("reporter").expect("a key");
        assert_eq!(broker.verify(&first.reveal()).expect("known").key, "reporter".into());
        let second = command.create("reporter").expect("a key");
        assert!(broker.verify(&second.reveal()).is_some());
        assert_eq!(command.revoke(first.id()).expect("revoked"), Some("reporter".to_owned()));
        assert_eq!(broker.verify(&first.reveal()), None);
        assert!(broker.verify(&second.reveal()).is_some());
        assert_eq!(command.revoke(first.id()).expect("no error"), None);
        fs::remove_file(broker.file()).expect("removed");
        assert_eq!(broker.verify(&second.reveal()), None);
    }

    #[test]
    fn what_stood_on_a_key_does_not_outlast_it() {
        let home = tempfile::tempdir().expect("a directory");
        let (broker, command) = (open(&home), open(&home));
        let plain = command.create("reporter").expect("a key");
        let bridge = command.create_with("edge", Rights { bridge: true }).expect("a key");
        let stand = |key: &ApiKey| {
            let standing = Standing::default();
            let identity = broker.verify_for(&key.reveal(), &standing).expect("known");
            (standing, identity)
        };
        let ((on_plain, reporter), (on_bridge, edge)) = (stand(&plain), stand(&bridge));
        assert_eq!((reporter.rights.bridge, edge.rights.bridge), (false, true));
        let nobodys = Standing::default();
        assert_eq!(broker.verify_for("cb_nothing", &nobodys), None);
        let borne = |roll: Roll| [&on_plain, &on_bridge, &nobodys].map(|standing| roll.bears(standing));
        assert_eq!(broker.news().map(borne), Some([true; 3]), "nobody has asked before");
        assert!(broker.news().is_none(), "nothing has changed since");
        command.revoke(plain.id()).expect("revoked");
        assert_eq!(broker.verify(&plain.reveal()), None, "what sees the change first does not hide it");
        assert_eq!(broker.news().map(borne), Some([false, true, true]));
        let without_rights = fs::read_to_string(broker.file()).expect("read").replace("rights = [\"bridge\"]\n", "");
        fs::write(broker.file(), without_rights).expect("written");
        assert_eq!(broker.news().map(borne), Some([false, false, true]), "the right was taken back alone");
        on_plain.note(None);
        fs::remove_file(broker.file()).expect("removed");
        assert_eq!(broker.news().map(borne), Some([true, false, true]), "who has logged out stands on nothing");
    }

    #[test]
    fn the_right_id_with_another_secret_is_nobody() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(&home);
        let key = store.create("reporter").expect("a key");
        let other = ApiKey::random().expect("randomness").reveal();
        let forged = format!("cb_{}_{}", key.id(), other.rsplit('_').next().expect("a secret"));
        assert!(ApiKey::parse(&forged).is_some());
        assert_eq!(store.verify(&forged), None);
    }

    #[test]
    fn a_wrong_file_stops_the_start_and_leaves_a_running_store_as_it_was() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(&home);
        let key = store.create("reporter").expect("a key").reveal();
        assert!(store.verify(&key).is_some());
        fs::write(store.file(), "[[key]]\nid = \"zz\"\n").expect("written");
        assert!(store.verify(&key).is_some());
        assert!(store.verify(&key).is_some());
        let error = KeyStore::open(home.path().join("data")).expect_err("an error");
        assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
    }

    #[test]
    fn the_file_has_no_secret_and_is_the_owners_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(&home);
        let key = store.create("reporter").expect("a key").reveal();
        let text = fs::read_to_string(store.file()).expect("read");
        assert!(!text.contains(key.rsplit('_').next().expect("a secret")));
        assert!(text.contains("name = \"reporter\""));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(store.file()).expect("metadata").permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn keys_made_at_the_same_time_are_all_kept() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(&home);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|_| assert!(store.create("many").is_ok())));
            }
        });
        assert_eq!(store.list().expect("a list").len(), 20);
    }

    #[test]
    fn names_that_no_identity_can_have_are_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let store = open(&home);
        for name in ["", "a\nb", &"a".repeat(limits::LABEL_BYTES_MAX + 1)] {
            assert!(matches!(store.create(name), Err(KeyError::BadName)));
        }
    }
}
