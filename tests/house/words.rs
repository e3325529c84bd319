//! Words that code must not say: what is unfinished, what is skipped, what waits by the clock, what makes a pure file impure.

use crate::source::{Source, hold, lines_with, rust_files};

/// What no file says.
const BANNED: &[(&[&str], &str)] = &[
    (&["todo", "!"], "`todo!`: what is reachable is finished"),
    (&["unimplemented", "!"], "`unimplemented!`: what is reachable is finished"),
    (&["#", "[", "ignore"], "`#[ignore]`: a test that nobody runs promises nothing"),
    (&["thread", ":", ":", "sleep"], "`thread::sleep`: it stalls every task of its thread"),
];

/// The files that may let time pass, each with what it waits for. All others wait for an event, under a deadline.
const SLEEPERS: &[(&str, &str)] = &[
    ("bridge-ws/src/bridge.rs", "ends a session that was not opened in time, or that lingers after its goodbye"),
    ("bridge-ws/src/accept.rs", "waits a moment when the system cannot accept a connection"),
    ("bridge-ws/src/edge/pool.rs", "tries a further connection again a while after this machine refused one"),
    ("bridge-ws/src/edge/queue.rs", "lets browsers come back to their broker one after the other"),
    ("bridge-ws/src/http/write_timeout.rs", "gives up a peer that takes nothing of an answer"),
    ("broker/src/channel/actor.rs", "puts a channel to sleep that nothing has happened to for a while"),
    ("broker/src/connection/actor.rs", "ends a session that was not opened in time, or that lingers after its goodbye"),
    ("broker/src/data_dir.rs", "waits for another process that changes the data directory"),
    ("broker/src/demo/job.rs", "stands in for work that takes its time"),
    ("broker/src/demo/program.rs", "sells a seat of the demo now and then"),
    ("broker/src/simulation/world.rs", "lets the time of a simulation pass, which stands still otherwise"),
    ("client/examples/progress.rs", "stands in for work that takes its time"),
    ("client/src/driver.rs", "comes back to the broker when the pause that it was told, or chose, is over"),
    ("client/src/raw/driver.rs", "comes back to the broker when the pause that it was told, or chose, is over"),
    ("client/src/connect.rs", "gives one address of a host a head start before the next is tried beside it"),
    ("tests/promises/chaos/stage.rs", "lets each fault last for as long as the seed says"),
    ("tests/support/load/subscriber.rs", "reads slowly, or goes when it has stayed long enough"),
    ("tests/support/proxy/pipe.rs", "passes bytes on late, slowly or one by one, as it was told"),
    ("tests/support/proxy/udp.rs", "passes datagrams on late, as it was told"),
];

/// What a pure file never says.
const IMPURE: &[(&[&str], &str)] = &[
    (&[".", "await"], "`.await`: it is tested without a runtime"),
    (&["Instant", ":", ":", "now"], "`Instant::now`: time is an argument"),
    (&["SystemTime"], "`SystemTime`: time is an argument"),
];

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    for (code, faults) in [
        ("fn f() { todo!() }", 1),
        ("fn f() { unimplemented!(\"later\") }", 1),
        ("#[ignore = \"slow\"] #[test] fn f() {}", 1),
        ("fn f() { std::thread::sleep(x) }", 1),
        ("// todo!()\nfn f() { g(\"todo!()\") }", 0),
    ] {
        assert_eq!(said(&Source::example("a.rs", code), BANNED).len(), faults, "{code}");
    }
    hold("nothing is left unfinished, and no test is skipped", rust_files().iter().flat_map(|file| said(file, BANNED)));
}

fn said(source: &Source, phrases: &[(&[&str], &str)]) -> Vec<String> {
    let words = source.words();
    let found = phrases
        .iter()
        .flat_map(|(phrase, reason)| lines_with(&words, phrase).into_iter().map(move |line| (line, *reason)));
    found.map(|(line, reason)| source.fault(line, reason)).collect()
}

#[test]
fn only_named_files_let_time_pass() {
    let sleeper =
        Source::example("a.rs", "use tokio::time::sleep;\nasync fn f() { tokio::time::sleep_until(x).await }");
    assert_eq!(sleeps(&sleeper, &[]).len(), 2);
    assert!(sleeps(&sleeper, &[("a.rs", "it waits to come back")]).is_empty());
    let files = rust_files();
    hold(
        "code waits for what it needs, not for time to pass; where time itself is meant, the file stands in SLEEPERS",
        files.iter().flat_map(|file| sleeps(file, SLEEPERS)).chain(awake(&files, SLEEPERS)),
    );
}

fn sleeps(source: &Source, allowed: &[(&str, &str)]) -> Vec<String> {
    if allowed.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let words = source.words();
    let sleeping =
        words.iter().filter(|word| ["sleep", "sleep_until", "sleep_ms", "park_timeout"].contains(&word.text.as_str()));
    sleeping.map(|word| source.fault(word.line, &format!("`{}`", word.text))).collect()
}

/// Files that are allowed to sleep and do not: the list tells no more than is true.
fn awake(files: &[Source], allowed: &[(&str, &str)]) -> Vec<String> {
    let sleeping = |path: &str| files.iter().any(|file| file.path == path && !sleeps(file, &[]).is_empty());
    allowed
        .iter()
        .filter(|(path, _)| !sleeping(path))
        .map(|(path, _)| format!("{path}: in SLEEPERS, and does not sleep"))
        .collect()
}

#[test]
fn a_name_in_the_list_of_sleepers_must_sleep() {
    assert_eq!(awake(&[Source::example("a.rs", "fn f() {}")], &[("a.rs", "it waits to come back")]).len(), 1);
    assert_eq!(awake(&[], &[("gone.rs", "it waits to come back")]).len(), 1);
}

#[test]
fn pure_files_neither_wait_nor_read_a_clock() {
    for code in ["async fn f() { g().await }", "fn f() { std::time::Instant::now(); }", "use std::time::SystemTime;"] {
        assert_eq!(impure(&Source::example("broker/src/channel/state.rs", code)).len(), 1, "{code}");
        assert_eq!(impure(&Source::example("protocol/src/frame/part.rs", code)).len(), 1, "{code}");
        assert_eq!(impure(&Source::example("bridge-ws/src/dialect/json/part.rs", code)).len(), 1, "{code}");
        assert!(impure(&Source::example("broker/src/channel/actor.rs", code)).is_empty(), "{code}");
    }
    hold("state, protocol and dialects are pure: input in, effects out", rust_files().iter().flat_map(impure));
}

fn impure(source: &Source) -> Vec<String> {
    let pure = source.path.starts_with("protocol/src/")
        || source.path.starts_with("bridge-ws/src/dialect/")
        || source.path.ends_with("/state.rs")
        || source.path.contains("/state/");
    if pure { said(source, IMPURE) } else { Vec::new() }
}
