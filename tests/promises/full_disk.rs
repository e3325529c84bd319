//! A full disk is told where something is to be written, leaves nothing half written, and is nothing to a broker that runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use callboard_tests::process::{Disk, command};
use callboard_tests::{Process, soon};

const CHANNEL: &str = "prompt/box";

/// What a directory has: each file with its content, but for the file whose lock is all that matters.
fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("it can be listed").map(|entry| entry.expect("it can be read"));
    let name = |path: &Path| path.file_name().expect("it has a name").to_string_lossy().into_owned();
    let files = entries.map(|entry| (name(&entry.path()), std::fs::read(entry.path()).expect("it can be read")));
    files.filter(|(name, _)| name != "lock").collect()
}

/// Runs a command on a directory to its end.
fn run(disk: Disk, directory: &Path, words: &[&str]) -> Output {
    let mut command = command(disk);
    command.args(words).arg("--data-dir").arg(directory);
    command.output().expect("the binary starts")
}

/// What it said, on a failure that ends with code 1.
fn failure(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    said
}

/// The sentence names the place, and says once what the system said.
fn assert_names(said: &str, place: &Path) {
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("no error in {said}"));
    assert!(error.contains(&place.display().to_string()) && error.contains("room"), "{error}");
    assert_eq!(error.matches("os error").count(), 1, "{error}");
}

#[tokio::test]
async fn a_broker_that_can_save_nothing_says_so_and_leaves_nothing() {
    let broker = Process::start().await.terminate().await;
    let whole = content(broker.data_dir());
    assert!(whole.len() >= 3, "a certificate, its key and a secret");
    // Whichever of them is missing.
    for name in whole.keys() {
        let path = broker.data_dir().join(name);
        std::fs::remove_file(&path).expect("it is there");
        let before = content(broker.data_dir());
        let said = failure(&run(Disk::Full, broker.data_dir(), &["serve", "--listen", "127.0.0.1:0"]));
        assert_names(&said, broker.data_dir());
        assert_eq!(content(broker.data_dir()), before);
        std::fs::write(&path, &whole[name]).expect("there is room");
    }
    // With room again it starts as if nothing had been.
    let broker = broker.restart().await;
    assert_eq!(content(broker.data_dir()), whole);
    broker.terminate().await;
}

#[tokio::test]
async fn a_key_that_cannot_be_saved_is_not_given_out_and_the_others_stay() {
    let broker = Process::start().await;
    let made = run(Disk::Roomy, broker.data_dir(), &["token", "new", "first"]);
    assert!(made.status.success());
    let before = content(broker.data_dir());
    let said = failure(&run(Disk::Full, broker.data_dir(), &["token", "new", "second"]));
    assert_names(&said, &broker.data_dir().join("keys.toml"));
    let id = String::from_utf8(run(Disk::Roomy, broker.data_dir(), &["token", "list"]).stdout).expect("it is text");
    let said = failure(&run(Disk::Full, broker.data_dir(), &["token", "revoke", &id[..8]]));
    assert_names(&said, &broker.data_dir().join("keys.toml"));
    assert_eq!(content(broker.data_dir()), before);
    let key = String::from_utf8(made.stdout).expect("it is text");
    let client = broker.client_builder().api_key(key.trim()).connect().await.expect("the first key holds");
    soon("the acknowledgement", client.publish_acked(CHANNEL, "still here")).await.expect("it is taken");
    broker.terminate().await;
}

#[tokio::test]
async fn a_broker_on_a_full_disk_starts_again_serves_and_ends_in_order() {
    let broker = Process::start_with(&["--metrics", "127.0.0.1:0", "--log", "debug"]).await;
    let broker = broker.kill().await.restart_on(Disk::Full).await;
    let client = broker.client().await;
    let mut subscription = soon("the subscription", client.subscribe(CHANNEL)).await.expect("anyone may subscribe");
    for _ in 0..10 {
        // Each comes and goes, of which there is a line in the log, if it takes one.
        let other = broker.client().await;
        soon("the acknowledgement", other.publish_acked(CHANNEL, "on")).await.expect("it is taken");
        other.close().await.expect("nothing is on its way");
        soon("the message", subscription.next()).await.expect("the subscription goes on");
    }
    let metrics = broker.metrics().await.expect("it answers");
    assert_eq!(metrics.value("callboard_panics_total"), 0);
    let ended = broker.terminate().await;
    assert!(ended.status.success(), "{}", ended.status);
}
