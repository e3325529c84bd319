//! The data directory: mode 0700, with files that are written whole or not at all; never anything but the broker's own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::Once;
use std::thread;
use std::time::Duration;

/// Who may read a file of the data directory, within the bounds of the directory itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its owner alone (0600): keys.
    Secret,
    /// Everyone who can enter the directory (0644): certificates.
    Public,
}

/// Where data is kept unless the operator says otherwise: the platform's directory for a user's data, as
/// `~/.local/share/callboard`. `None` if the environment does not tell where home is.
pub(crate) fn platform_default() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        std::env::home_dir().map(|home| home.join("Library/Application Support"))
    } else {
        // XDG Base Directory Specification: a relative path in the variable is to be ignored.
        variable("XDG_DATA_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
    };
    base.filter(|base| base.is_absolute()).map(|base| base.join("callboard"))
}

/// The file that whoever changes the directory holds locked.
const LOCK: &str = "lock";

/// How long to wait for another process that changes the directory: a change takes milliseconds, and seconds on a disk that
/// is busy. Whoever holds it longer was stopped or hangs, and only a person can tell.
const HOLD_PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts: about as long as a change takes.
const HOLD_PAUSE: Duration = Duration::from_millis(10);

/// Whether the operator was told that others may enter the directory.
#[cfg(unix)]
static WARNED: Once = Once::new();

/// Makes the directory, mode 0700, if it is not there. One that others may enter is used, and warned of.
pub(crate) fn prepare(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(directory)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let directory = directory.display();
            // A process has one, and comes here for each file that it makes in it.
            WARNED.call_once(|| {
                tracing::warn!(
                    "other users of this machine can enter the data directory (mode {mode:o}): chmod 700 {directory}"
                );
            });
        }
    }
    Ok(())
}

/// The data directory, held by one process that changes it; the others wait a while for this to be dropped. Who only reads
/// need not.
#[derive(Debug)]
pub(crate) struct Hold {
    directory: PathBuf,
    _lock: File,
}

/// Why the data directory cannot be held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldError {
    /// Somebody else has held it for all of [`HOLD_PATIENCE`].
    #[error("{}", busy(directory))]
    Busy {
        /// The data directory.
        directory: PathBuf,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What to do when somebody else holds the directory. Each error that tells it has this sentence.
pub(crate) fn busy(directory: &Path) -> String {
    let (lock, patience) = (directory.join(LOCK), HOLD_PATIENCE.as_secs());
    format!(
        "another process has held {lock} for {patience} seconds and may be changing what is there: a `callboard` that was \
         stopped or waits for its disk, or a program that copies the directory; find it with `fuser -v {lock}`, let it end, \
         and try again",
        lock = lock.display()
    )
}

/// Waits a while for the data directory, which is made if it is not there.
pub(crate) fn hold(directory: &Path) -> Result<Hold, HoldError> {
    prepare(directory)?;
    let lock = lock_file(directory)?;
    let directory = directory.to_owned();
    if is_given(&lock) { Ok(Hold { directory, _lock: lock }) } else { Err(HoldError::Busy { directory }) }
}

/// The file to lock, which is made if it is not there: for the directory's owner alone, as all others could keep a key from
/// being revoked.
fn lock_file(directory: &Path) -> io::Result<File> {
    let path = directory.join(LOCK);
    match create(&path, Mode::Secret) {
        Ok(lock) => give(&lock, &path, directory).map(|()| lock),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_lock(&path),
        Err(error) => Err(error),
    }
}

/// Opens the lock that is there, and nothing that stands in its place: by a link, whoever owns the directory could choose
/// which file root opens.
fn open_lock(path: &Path) -> io::Result<File> {
    let opened = match open_itself(OpenOptions::new().write(true), path) {
        // Another user made it; where it may be read, that is enough to lock it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_itself(OpenOptions::new().read(true), path).map_err(|_| error)
        }
        opened => opened,
    };
    let metadata = opened.as_ref().map_or_else(|_| fs::symlink_metadata(path), File::metadata);
    if metadata.is_ok_and(|metadata| !metadata.is_file()) {
        let sentence = format!("{} is no file; see who put it there, and remove it", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    opened
}

/// Opens what has this name: no link is followed, and no reader of a pipe is waited for.
fn open_itself(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
    }
    options.open(path)
}

/// Whether the lock is had in time. Where files cannot be locked, as on some network file systems, nobody is kept out: to
/// keep two apart who hardly ever meet is not worth a broker that does not start.
fn is_given(lock: &File) -> bool {
    for _ in 0..HOLD_PATIENCE.as_millis() / HOLD_PAUSE.as_millis() {
        match lock.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) => thread::park_timeout(HOLD_PAUSE),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => {
                tracing::warn!(
                    "files of the data directory cannot be locked ({error}): let one process change it at a time"
                );
                return true;
            }
        }
    }
    false
}

impl Hold {
    /// Puts a file with this content in place of the one of this name. Whoever reads sees the old content or the new, never
    /// a part, and a secret one has its mode from its first byte on.
    pub(crate) fn write(&self, name: &str, content: &[u8], mode: Mode) -> io::Result<()> {
        let temporary = self.directory.join(format!("{name}.new"));
        // Nobody else is writing it: what lies there was left by a process that was killed.
        let written = remove(&temporary)
            .and_then(|()| create(&temporary, mode))
            .and_then(|mut file| {
                give(&file, &self.directory.join(name), &self.directory)?;
                file.write_all(content)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, self.directory.join(name)))
            .and_then(|()| sync(&self.directory));
        if written.is_err() {
            // The first error is the one to tell; what is left is removed the next time.
            let _ = remove(&temporary);
        }
        written
    }
}

/// Gives a new file to whomever the one that it replaces belongs to, or else the directory: `sudo callboard token` writes
/// keys for a broker of another user, which must be able to read them.
///
/// Only root may. For others that is a failure where the file is another's in the directory of another: its reader could
/// not read the new one, and would go by the old, a key that is revoked included.
#[cfg(unix)]
fn give(file: &File, old: &Path, directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let mine = file.metadata()?.uid();
    let others = |path: &Path| fs::metadata(path).ok().filter(|metadata| metadata.uid() != mine);
    let (old, directory) = (others(old), others(directory));
    let Some(heir) = old.as_ref().or(directory.as_ref()) else { return Ok(()) };
    let given = fchown(file, Some(heir.uid()), Some(heir.gid()));
    if old.is_some() && directory.is_some() { given } else { Ok(()) }
}

#[cfg(not(unix))]
fn give(_: &File, _: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Makes a new name last: without this a key that was revoked could be back after a power failure.
fn sync(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

fn create(path: &Path, mode: Mode) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        let bits = match mode {
            Mode::Secret => 0o600,
            Mode::Public => 0o644,
        };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, bits);
    }
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    /// What a directory has, but for the lock.
    fn content(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("listed").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> =
            entries.filter_map(|name| name.into_string().ok()).filter(|name| name != LOCK).collect();
        names.sort();
        names
    }

    #[test]
    fn directory_and_secrets_are_the_owners_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("a/b");
        prepare(&directory).expect("prepared");
        let hold = hold(&directory).expect("held");
        assert_eq!(mode(&directory), 0o700);
        hold.write("secret", b"1", Mode::Secret).expect("written");
        assert_eq!(mode(&directory.join("secret")), 0o600);
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let home = tempfile::tempdir().expect("a directory");
        let hold = hold(home.path()).expect("held");
        hold.write("file", b"a longer content", Mode::Public).expect("written");
        hold.write("file", b"short", Mode::Secret).expect("written");
        assert_eq!(fs::read(home.path().join("file")).expect("read"), b"short");
        assert_eq!((mode(&home.path().join("file")), content(home.path())), (0o600, vec!["file".to_owned()]));
    }

    #[test]
    fn what_a_killed_write_left_is_neither_read_nor_kept() {
        let home = tempfile::tempdir().expect("a directory");
        let write = |content: &[u8]| hold(home.path()).expect("held").write("file", content, Mode::Secret);
        write(b"old").expect("written");
        for left in [&b""[..], b"half of a longer content"] {
            let temporary = home.path().join("file.new");
            fs::write(&temporary, left).expect("written");
            fs::set_permissions(&temporary, fs::Permissions::from_mode(0o444)).expect("changed");
            assert_ne!(fs::read(home.path().join("file")).expect("read"), left);
            write(b"new").expect("written");
            assert_eq!(fs::read(home.path().join("file")).expect("read"), b"new");
            assert_eq!((mode(&home.path().join("file")), content(home.path())), (0o600, vec!["file".to_owned()]));
        }
    }

    #[test]
    fn what_root_writes_is_for_the_user_of_the_directory() {
        const USER: u32 = 65_534;
        let home = tempfile::tempdir().expect("a directory");
        let owner = |name: &str| fs::metadata(home.path().join(name)).expect("metadata").uid();
        hold(home.path()).expect("held").write("mine", b"1", Mode::Secret).expect("written");
        fs::remove_file(home.path().join(LOCK)).expect("removed");
        if chown(home.path(), Some(USER), None).is_err() {
            // Only root can try.
            return;
        }
        let write = |name| hold(home.path()).expect("held").write(name, b"2", Mode::Secret).expect("written");
        for name in ["mine", "new", "another's"] {
            write(name);
        }
        assert_eq!(["mine", "new", "another's"].map(owner), [USER; 3]);
        assert_eq!((owner(LOCK), mode(&home.path().join(LOCK))), (USER, 0o600));
        chown(home.path().join("another's"), Some(USER - 1), None).expect("given");
        write("another's");
        assert_eq!((owner("another's"), mode(&home.path().join("another's"))), (USER - 1, 0o600));
    }

    #[test]
    fn what_stands_in_the_locks_place_is_neither_opened_nor_made_nor_changed() {
        let home = tempfile::tempdir().expect("a directory");
        let (lock, secret) = (home.path().join(LOCK), home.path().join("a secret of root"));
        fs::write(&secret, "").expect("written");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("changed");
        let pipe = home.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("made");
        for place in [&secret, &home.path().join("made for nobody"), &pipe] {
            if place == &pipe { fs::rename(place, &lock) } else { symlink(place, &lock) }.expect("made");
            let refused = hold(home.path()).expect_err("no lock").to_string();
            assert!(refused.contains("lock is no file"), "{refused}");
            fs::remove_file(&lock).expect("removed");
        }
        assert_eq!((mode(&secret), content(home.path())), (0o600, vec!["a secret of root".to_owned()]));
        hold(home.path()).expect("held");
    }

    #[test]
    fn a_lock_that_is_there_is_taken_as_it_is() {
        let home = tempfile::tempdir().expect("a directory");
        let lock = home.path().join(LOCK);
        fs::write(&lock, "").expect("written");
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o444)).expect("changed");
        hold(home.path()).expect("held");
        assert_eq!(mode(&lock), 0o444);
    }

    #[test]
    fn a_failed_write_keeps_what_was_there() {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join("occupied")).expect("created");
        assert!(hold(home.path()).expect("held").write("occupied", b"1", Mode::Secret).is_err());
        assert_eq!(content(home.path()), ["occupied"]);
    }
}
