//! The program as a child process: with a data directory of its own and nothing of its caller's environment.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program with a data directory of its own and none of the variables of whoever runs the tests.
pub(crate) fn callboard(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CALLBOARD_") {
            command.env_remove(name);
        }
    }
    command.env_remove("CARGO").env("CALLBOARD_DATA_DIR", data_dir).stdin(Stdio::null());
    command
}

pub(crate) fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    callboard(data_dir).args(arguments).output().expect("the program runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A running broker; killed when it is dropped.
pub(crate) struct Broker {
    /// The process.
    pub(crate) process: Child,
    /// Where it listens.
    pub(crate) url: String,
    /// Where its metrics are, if it serves them.
    pub(crate) metrics: Option<String>,
}

impl Broker {
    pub(crate) fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        let process = callboard(data_dir)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a broker");
        Self::of(process)
    }

    /// The broker that this process runs, once its log in `file` says where it listens: a log for machines comes without
    /// a summary for people.
    pub(crate) fn logging_to(file: &Path, mut process: Child) -> Self {
        let log = loop {
            let log = std::fs::read_to_string(file).expect("a log");
            if log.lines().any(|line| line.contains("listening") && line.contains("address")) {
                break log;
            }
            assert!(process.try_wait().expect("a state").is_none(), "the broker ended: {log}");
            std::thread::yield_now();
        };
        let line = log.lines().find(|line| line.contains("listening") && line.contains("address")).expect("seen above");
        let port: String =
            line.split("127.0.0.1:").nth(1).expect("an address").chars().take_while(char::is_ascii_digit).collect();
        Self { process, url: format!("callboard://127.0.0.1:{port}"), metrics: None }
    }

    /// The broker that this process runs, once it listens.
    pub(crate) fn of(mut process: Child) -> Self {
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let summary: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
        let row = |name| summary.iter().find_map(|line| Some(line.trim().strip_prefix(name)?.trim().to_owned()));
        Self { process, url: row("address").expect("an address"), metrics: row("metrics") }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks a process to end.
#[cfg(unix)]
pub(crate) fn terminate(process: &Child) {
    signal(process, "-TERM");
}

/// Sends a signal to a process.
#[cfg(unix)]
pub(crate) fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &process.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}
