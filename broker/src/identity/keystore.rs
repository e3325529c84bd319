//! The API keys of a data directory, in one file that the running broker follows; never the secrets themselves.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use callboard_protocol::limits;
use parking_lot::Mutex;

use super::apikey::{ApiKey, KeyId};
use super::keyfile::{self, StoredKey};
use super::revocation::{KeyBinding, LiveKeys};
use super::who::{Identity, Rights};
use crate::clock::Clock;
use crate::data_dir::{self, Hold, HoldError, Mode};

/// How credentials of this kind are called on the wire.
pub(crate) const STRATEGY: &str = "apikey";

/// The file, in the data directory.
const FILE: &str = "keys.toml";

/// The API keys of one data directory.
///
/// Every [`verify`](Self::verify) looks whether the file was replaced since it was read (one `stat`), so that a new key
/// works, and a revoked one stops working, from the next authentication on. A running broker looks by itself as well, to
/// end the sessions that rely on a revoked one.
///
/// Only a whole file changes the keys of a store that is open. One that is gone, emptied, cut, wrong or unreadable, if for
/// a moment, leaves them as they were and is told in the log: whoever copies or mounts something must not end everybody's
/// sessions.
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
    /// Somebody else is changing the data directory, and does not end.
    #[error("the keys cannot be changed: {}", data_dir::busy(directory))]
    Busy {
        /// The data directory.
        directory: PathBuf,
    },
    /// The file is not one that this program wrote.
    #[error("{} is not a file of keys: {sentence}; repair it, or move it away and make new keys", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the mistake is, and what was expected there.
        sentence: String,
    },
}

/// The keys, and which state of the file was looked into last.
#[derive(Debug, Default)]
struct Snapshot {
    /// Of the file that the keys are from, or of a wrong one that came after it: that is not read again before it changes.
    stamp: Option<Stamp>,
    keys: Vec<StoredKey>,
    /// Whether nobody has asked for [`news`](KeyStore::news) since they were read.
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
        // The stamp first: if the file is replaced in between, the next look reads it again.
        let stamp = stamp(&store.file()).map_err(|error| store.failed(error))?;
        let keys = store.read()?.unwrap_or_default();
        *store.snapshot.lock() = Snapshot { stamp, keys, is_news: true, trouble: None };
        Ok(store)
    }

    /// Whom this key's text belongs to; `None` for a key that is not known, or is none.
    #[must_use]
    pub fn verify(&self, text: &str) -> Option<Identity> {
        self.verify_for(text, &KeyBinding::default())
    }

    /// As [`verify`](Self::verify) for a session, which relies on the key from then on. That is noted before the key can be
    /// revoked, so that whoever ends the sessions of a key overlooks none that just begins.
    pub(super) fn verify_for(&self, text: &str, binding: &KeyBinding) -> Option<Identity> {
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
        binding.note(Some(&identity));
        Some(identity)
    }

    /// Looks at the file, and tells the keys if they may be others than when they were told last. No key is looked up
    /// meanwhile, so that no session is judged by keys that are older than the one it has just come to rely on.
    pub(crate) fn news<T>(&self, tell: impl FnOnce(&LiveKeys) -> T) -> Option<T> {
        let mut snapshot = self.snapshot.lock();
        self.follow(&mut snapshot);
        std::mem::take(&mut snapshot.is_news).then(|| tell(&LiveKeys::of(&snapshot.keys)))
    }

    /// The keys, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the file cannot be read.
    pub fn list(&self) -> Result<Vec<StoredKey>, KeyError> {
        Ok(self.read()?.unwrap_or_default())
    }

    /// Makes a key without particular rights and stores its digest. What is returned is the only copy of the secret.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn create(&self, name: &str) -> Result<ApiKey, KeyError> {
        self.create_with(name, Rights::default())
    }

    /// Makes a key with `rights` and stores its digest. What is returned is the only copy of the secret.
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
        let mut keys = self.list()?;
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
        let mut keys = self.list()?;
        let Some(place) = keys.iter().position(|stored| stored.id == *id) else { return Ok(None) };
        let revoked = keys.remove(place);
        self.write(&hold, &keys)?;
        Ok(Some(revoked.name))
    }

    /// Reads the file again if it is not the one that was looked into last.
    fn follow(&self, snapshot: &mut Snapshot) {
        // As when it was opened, the stamp first.
        let error = match stamp(&self.file()) {
            Ok(stamp) if stamp == snapshot.stamp => {
                snapshot.trouble = None;
                return;
            }
            Ok(stamp) => match self.read() {
                Ok(None) => self.failed(ErrorKind::NotFound.into()),
                Ok(Some(keys)) => {
                    *snapshot = Snapshot { stamp, keys, is_news: true, trouble: None };
                    return;
                }
                Err(error) => {
                    if matches!(error, KeyError::Malformed { .. }) {
                        snapshot.stamp = stamp;
                    }
                    error
                }
            },
            Err(error) => self.failed(error),
        };
        let trouble = Some(error.to_string());
        // It may go well the next time, and is looked at every second.
        if snapshot.trouble != trouble {
            tracing::error!("{error}; until then the keys stay as they were");
            snapshot.trouble = trouble;
        }
    }

    /// The keys in the file; none where there is no file.
    fn read(&self) -> Result<Option<Vec<StoredKey>>, KeyError> {
        let path = self.file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        keyfile::parse(&text).map(Some).map_err(|sentence| KeyError::Malformed { path, sentence })
    }

    fn write(&self, hold: &Hold, keys: &[StoredKey]) -> Result<(), KeyError> {
        let text = keyfile::text(keys).map_err(|error| self.failed(io::Error::other(error)))?;
        hold.write(FILE, text.as_bytes(), Mode::Secret).map_err(|error| self.failed(error))
    }

    /// Two that change the keys at once take turns.
    fn hold(&self) -> Result<Hold, KeyError> {
        data_dir::hold(&self.data_dir).map_err(|error| match error {
            HoldError::Busy { directory } => KeyError::Busy { directory },
            HoldError::Io(error) => self.failed(error),
        })
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
#[path = "keystore_tests.rs"]
mod tests;
