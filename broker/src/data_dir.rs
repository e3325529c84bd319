//! The data directory: mode 0700, with files that are written whole or not at all; never anything but the broker's own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::Once;

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
                    "others on this machine may enter the data directory (mode {mode:o}): chmod 700 {directory}"
                );
            });
        }
    }
    Ok(())
}

/// Puts a file with this content in place of `path`. Whoever reads sees the old content or the new, never a part, and
/// a secret one has its mode from its first byte on.
pub(crate) fn write(path: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push(format!(".{}.new", data_encoding::HEXLOWER.encode(&random)));
    let temporary = path.with_file_name(name);
    let written = create(&temporary, mode)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_parent(path));
    if written.is_err() {
        // The first error is the one to tell; a leftover is harmless.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes the new name last: without this a key that was revoked could be back after a power failure.
fn sync_parent(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Waits for the lock on the file at `path`, which is made if it is not there; the lock ends with what is returned.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    file.lock()?;
    Ok(file)
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    #[test]
    fn directory_and_secrets_are_the_owners_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("a/b");
        prepare(&directory).expect("prepared");
        prepare(&directory).expect("prepared again");
        assert_eq!(mode(&directory), 0o700);
        write(&directory.join("secret"), b"1", Mode::Secret).expect("written");
        assert_eq!(mode(&directory.join("secret")), 0o600);
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("file");
        write(&path, b"a longer content", Mode::Public).expect("written");
        write(&path, b"short", Mode::Secret).expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"short");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_failed_write_keeps_what_was_there() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("occupied");
        fs::create_dir(&path).expect("created");
        assert!(write(&path, b"1", Mode::Secret).is_err());
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 1);
    }
}
