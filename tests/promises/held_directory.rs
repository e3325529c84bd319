//! Who would change a data directory that somebody else holds waits a while, is told who that may be, and changes nothing.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use callboard::identity::{ApiKey, KeyStore};
use callboard_tests::process::{Disk, command};
use callboard_tests::{Process, eventually_within};

/// Longer than anybody waits for the directory, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Holds the directory as a process does that was stopped while it changed something.
fn hold(directory: &Path) -> File {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(directory.join("lock"));
    let lock = lock.expect("a directory takes a file");
    lock.lock().expect("files can be locked here");
    lock
}

/// A command that is killed when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command on a directory to its end; gives how it ended and what it printed.
async fn run(directory: &Path, words: &[&str]) -> (ExitStatus, String, String) {
    let mut command = command(Disk::Roomy);
    let mut running = Running(command.args(words).arg("--data-dir").arg(directory).spawn().expect("the binary starts"));
    let ended = async || running.0.try_wait().expect("it is a child of this process");
    let status = eventually_within(PATIENCE, "the end of the command", ended).await;
    let Child { stdout, stderr, .. } = &mut running.0;
    let (mut printed, mut said) = (String::new(), String::new());
    stdout.as_mut().expect("it is a pipe").read_to_string(&mut printed).expect("it is text");
    stderr.as_mut().expect("it is a pipe").read_to_string(&mut said).expect("it is text");
    (status, printed, said)
}

fn assert_busy((status, printed, said): &(ExitStatus, String, String), directory: &Path) {
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(printed.is_empty(), "nothing was made that could be used");
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("no error in {said}"));
    let lock = directory.join("lock").display().to_string();
    for part in ["another process has held", &format!("`fuser -v {lock}`"), "try again"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[tokio::test]
async fn keys_are_not_changed_in_a_directory_that_is_held_and_a_broker_serves_on() {
    let broker = Process::start().await;
    let directory = broker.data_dir();
    let keys = KeyStore::open(directory).expect("the keys are readable");
    let key: ApiKey = keys.create("first").expect("a key can be made");
    let held = hold(directory);
    let id = key.id().to_string();
    let (make, revoke) = (["token", "new", "second"], ["token", "revoke", &*id]);
    let (made, revoked) = tokio::join!(run(directory, &make), run(directory, &revoke));
    assert_busy(&made, directory);
    assert_busy(&revoked, directory);
    assert_eq!(keys.list().expect("who reads does not wait").len(), 1);
    broker.client_builder().api_key(key.reveal()).connect().await.expect("the key holds, and can be shown");
    drop(held);
    assert!(run(directory, &revoke).await.0.success(), "nobody holds it any more");
    broker.terminate().await;
}

#[tokio::test]
async fn a_broker_that_has_something_to_make_does_not_start_in_a_directory_that_is_held() {
    const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
    let broker = Process::start().await.terminate().await;
    let directory = broker.data_dir();
    let held = hold(directory);
    // Its certificate, and the secret that it keeps.
    for missing in ["development-cert.pem", "quic-reset.key"] {
        let (path, aside) = (directory.join(missing), directory.join("aside"));
        std::fs::rename(&path, &aside).expect("it is there");
        assert_busy(&run(directory, &SERVE).await, directory);
        assert!(!path.exists());
        std::fs::rename(&aside, &path).expect("it is there");
    }
    // With nothing to make it needs nobody's leave.
    broker.restart().await.terminate().await;
    drop(held);
}
