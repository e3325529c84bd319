//! Where the binary `callboard` is: as `tests/run` built it, or built here beside the test; never a stale one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary's path. Unless `CALLBOARD_BIN` names one, cargo brings it up to date first, once a test run.
pub(super) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("CALLBOARD_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// A test stands in `TARGET/PROFILE/deps/`, the binaries of the same build in `TARGET/PROFILE/`.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.ancestors().nth(2).expect("cargo puts tests two folders below the target folder's profile");
    let target = folder.parent().expect("a profile's folder stands in the target folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "callboard", "--bin", "callboard", "--profile", profile]);
    cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo tells a test about its package would look to build scripts like another build, and nothing be reused.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_this_package(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    let status = cargo.status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "`cargo build -p callboard` failed, so no broker can be started"
    );
    folder.join("callboard").with_extension(std::env::consts::EXE_EXTENSION)
}

fn is_about_this_package(variable: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix))
}
