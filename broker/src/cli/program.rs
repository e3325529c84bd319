//! How this program was called, so that the commands it suggests can be copied as they stand.

use std::ffi::OsStr;
use std::path::Path;

/// The beginning of every command that is suggested: `callboard`, a path to it, or `cargo run --release --`.
pub(super) fn invoked() -> String {
    let first = std::env::args_os().next().unwrap_or_default();
    let cargo = std::env::var_os("CARGO").is_some();
    name(&first, cargo, cfg!(debug_assertions))
}

fn name(first: &OsStr, cargo: bool, debug: bool) -> String {
    let path = Path::new(first);
    if cargo && path.components().any(|part| part.as_os_str() == "target") {
        return if debug { "cargo run --" } else { "cargo run --release --" }.to_owned();
    }
    let Some(text) = first.to_str().filter(|text| !text.is_empty()) else { return "callboard".to_owned() };
    quoted(text)
}

/// An argument as a shell takes it.
pub(super) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '=' | '[' | ']' | '@' | '+');
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_begins_as_the_user_began() {
        assert_eq!(name(OsStr::new("callboard"), false, false), "callboard");
        assert_eq!(name(OsStr::new("./target/release/callboard"), false, false), "./target/release/callboard");
        assert_eq!(name(OsStr::new("/src/target/release/callboard"), true, false), "cargo run --release --");
        assert_eq!(name(OsStr::new("target/debug/callboard"), true, true), "cargo run --");
        assert_eq!(name(OsStr::new("/usr/bin/callboard"), true, false), "/usr/bin/callboard");
        assert_eq!(name(OsStr::new(""), false, false), "callboard");
        assert_eq!(name(OsStr::new("/my tools/callboard"), false, false), "'/my tools/callboard'");
    }

    #[test]
    fn arguments_survive_a_shell() {
        assert_eq!(quoted("callboard://[::1]:4480"), "callboard://[::1]:4480");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
