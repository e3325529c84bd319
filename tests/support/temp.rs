//! Temporary directories that nobody else may enter, as a broker wants its data directory to be.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

/// A new directory, gone when it is dropped.
pub(crate) fn directory() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("callboard-").permissions(Permissions::from_mode(0o700));
    builder.tempdir().expect("a temporary directory can be made")
}
