//! What stands in the root: only what a newcomer must see first.

use crate::source::{file, hold, root};

const ENTRIES: &[&str] = &[
    ".ci",
    ".git",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "PROTOCOL.md",
    "README.md",
    "bridge-ws",
    "broker",
    "client",
    "clippy.toml",
    "deny.toml",
    "fuzz",
    "protocol",
    "rustfmt.toml",
    "tests",
];

#[test]
fn the_root_holds_only_what_a_newcomer_must_see_first() {
    assert_eq!(strangers(&["protocol", "notes.txt", "target"], "/target\n"), ["notes.txt"]);
    let entries = std::fs::read_dir(root()).expect("the root is readable");
    let names: Vec<String> = entries
        .map(|entry| entry.expect("an entry of the root is readable").file_name().to_string_lossy().into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    hold(
        "the root is the first page of the house: what else is needed stands in the folder that it belongs to",
        strangers(&names, &file(".gitignore").text),
    );
}

fn strangers(names: &[&str], gitignore: &str) -> Vec<String> {
    let ignored: Vec<&str> = gitignore.lines().map(|line| line.trim_matches('/')).collect();
    let strange = names.iter().filter(|name| !ENTRIES.contains(name) && !ignored.contains(name));
    strange.map(|name| (*name).to_owned()).collect()
}
