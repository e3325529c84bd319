//! The arrows between the crates, and which outside crates each may lean on; read from the manifests alone.

use std::collections::BTreeSet;

use toml::Table;

use crate::source::{Source, file, hold};

const OURS: &str = "callboard";

/// The members with those of our crates that each may depend on. The arrows point down.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("client", &["callboard-protocol"]),
    ("bridge-ws", &["callboard-protocol", "callboard-client"]),
    ("broker", &["callboard-protocol", "callboard-client", "callboard-bridge-ws"]),
    ("tests", &["callboard-protocol", "callboard-client", "callboard-bridge-ws", "callboard"]),
];

/// All that the protocol leans on: no runtime, no socket, no clock, no randomness.
const PROTOCOL_LEANS_ON: &[&str] = &["bytes", "postcard", "serde", "serde_bytes", "thiserror"];

/// The crates that may be built of actors.
const OF_ACTORS: &[&str] = &["broker", "bridge-ws"];

#[test]
fn arrows_between_crates_point_down() {
    let up = Source::example("client/Cargo.toml", "[dependencies]\ncallboard.workspace = true");
    assert_eq!(arrows(&up, &["callboard-protocol"]).len(), 1);
    let renamed =
        Source::example("client/Cargo.toml", "[dependencies]\nb = { package = \"callboard\", path = \"../broker\" }");
    assert_eq!(arrows(&renamed, &["callboard-protocol"]).len(), 1);
    let hidden = Source::example("client/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ncallboard = \"0.1\"");
    assert_eq!(arrows(&hidden, &["callboard-protocol"]).len(), 1);
    let in_tests = Source::example("client/Cargo.toml", "[dev-dependencies]\ncallboard.workspace = true");
    assert!(arrows(&in_tests, &["callboard-protocol"]).is_empty());
    hold(
        "the arrows of ARCHITECTURE.md point down: protocol, client, bridge-ws, broker, tests",
        ARROWS.iter().flat_map(|(member, allowed)| arrows(&manifest(member), allowed)),
    );
}

fn arrows(manifest: &Source, allowed: &[&str]) -> Vec<String> {
    let ours = dependencies(manifest).into_iter().filter(|name| name == OURS || name.starts_with("callboard-"));
    ours.filter(|name| !allowed.contains(&name.as_str()))
        .map(|name| format!("{}: depends on {name}", manifest.path))
        .collect()
}

#[test]
fn every_member_has_its_arrows() {
    let root = file("Cargo.toml");
    let stranger = Source::example("Cargo.toml", "[workspace]\nmembers = [\"protocol\", \"stranger\"]");
    assert_eq!(strangers(&stranger).len(), 1);
    hold("a new crate is drawn in ARCHITECTURE.md and in ARROWS first", strangers(&root));
}

fn strangers(root: &Source) -> Vec<String> {
    let workspace = table(root);
    let members = workspace["workspace"]["members"].as_array().expect("the root lists its members");
    let known = |member: &str| ARROWS.iter().any(|(name, _)| *name == member);
    members.iter().filter_map(toml::Value::as_str).filter(|member| !known(member)).map(str::to_owned).collect()
}

#[test]
fn only_the_broker_and_the_bridge_are_built_of_actors() {
    let actors = Source::example("client/Cargo.toml", "[dependencies]\nkameo = \"0.22\"");
    assert_eq!(actors_in(&actors).len(), 1);
    let members = ARROWS.iter().map(|(member, _)| *member).filter(|member| !OF_ACTORS.contains(member));
    hold(
        "a program that uses the bus does not take an actor library with it",
        members.flat_map(|member| actors_in(&manifest(member))),
    );
}

fn actors_in(manifest: &Source) -> Vec<String> {
    let found = dependencies(manifest).into_iter().filter(|name| name.starts_with("kameo"));
    found.map(|name| format!("{}: depends on {name}", manifest.path)).collect()
}

#[test]
fn the_protocol_leans_on_no_runtime_socket_clock_or_chance() {
    for name in ["tokio", "quinn", "rand", "time"] {
        let heavy = Source::example("protocol/Cargo.toml", &format!("[dependencies]\nserde = \"1\"\n{name} = \"1\""));
        assert_eq!(beyond(&heavy, PROTOCOL_LEANS_ON).len(), 1);
    }
    hold(
        "the protocol says what the bytes mean, and time and chance are arguments; \
         what it leans on stands in PROTOCOL_LEANS_ON",
        beyond(&manifest("protocol"), PROTOCOL_LEANS_ON),
    );
}

fn beyond(manifest: &Source, allowed: &[&str]) -> Vec<String> {
    let found = dependencies(manifest).into_iter().filter(|name| !allowed.contains(&name.as_str()));
    found.map(|name| format!("{}: depends on {name}", manifest.path)).collect()
}

fn manifest(member: &str) -> Source {
    file(&format!("{member}/Cargo.toml"))
}

fn table(manifest: &Source) -> Table {
    manifest.text.parse().unwrap_or_else(|error| panic!("{}: {error}", manifest.path))
}

/// The packages that a member is built with, on any target; what only its own tests use is left out.
fn dependencies(manifest: &Source) -> BTreeSet<String> {
    let manifest = table(manifest);
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(toml::Value::as_table);
    let mut names = BTreeSet::new();
    for table in tables.chain([&manifest]) {
        for section in ["dependencies", "build-dependencies"] {
            let Some(section) = table.get(section).and_then(toml::Value::as_table) else { continue };
            names.extend(section.iter().map(|(name, of)| package(of).unwrap_or(name).to_owned()));
        }
    }
    names
}

fn package(dependency: &toml::Value) -> Option<&str> {
    dependency.as_table()?.get("package")?.as_str()
}
