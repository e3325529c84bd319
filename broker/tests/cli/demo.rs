//! Who runs the program to see what it is, sees a demo; who runs a broker for work does not, unless it is asked for.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::program::{Broker, callboard, run, text};

/// What a broker prints until it has said all.
fn summary(command: &mut Command) -> String {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a broker");
    let lines = BufReader::new(process.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let summary: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
    drop(Broker { process, url: String::new(), metrics: None });
    summary.join("\n")
}

#[test]
fn a_program_without_a_command_shows_a_demo_and_says_where() {
    let home = tempfile::tempdir().expect("a directory");
    let said = summary(callboard(home.path()).env("CALLBOARD_LISTEN", "127.0.0.1:0"));
    assert!(said.contains("\n  demo ") && said.contains("Open http://localhost:"), "{said}");
    let said = summary(callboard(home.path()).env("CALLBOARD_LISTEN", "127.0.0.1:0").env("CALLBOARD_DEMO", "false"));
    assert!(!said.contains("\n  demo "), "{said}");
}

#[test]
fn a_program_without_a_command_takes_the_options_of_serve() {
    let home = tempfile::tempdir().expect("a directory");
    let said =
        summary(callboard(home.path()).args(["--log", "error", "--listen", "127.0.0.1:0", "--subscriptions-max=3"]));
    assert!(said.contains("\n  demo ") && said.contains("Open http://localhost:"), "{said}");
    let said = summary(callboard(home.path()).args(["--listen", "127.0.0.1:0", "--demo=false"]));
    assert!(!said.contains("\n  demo "), "{said}");
    // What a value is called is no command.
    for value in ["token", "help"] {
        let said = summary(callboard(home.path()).args(["--listen", "127.0.0.1:0", "--ws-cookie", value]));
        assert!(said.contains("Open http://localhost:"), "{value}: {said}");
    }
    let help = run(home.path(), &["--listen", "127.0.0.1:0", "--help"]);
    assert!(text(&help.stdout).contains("--subscriptions-max"), "{}", text(&help.stdout));
    for (words, wanted) in [
        (["--lisen", "127.0.0.1:0"], "'--listen'"),
        (["--listen", "localhost"], "listen"),
        // Another command's option in the wrong place is no option of a broker.
        (["--count=1", "sub"], "'sub --count' exists"),
        (["--listen=127.0.0.1:0", "serve"], "'serve --listen' exists"),
    ] {
        let output = run(home.path(), &words);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(wanted), "{words:?}: {error}");
    }
}

#[test]
fn serve_shows_one_if_it_is_asked_to() {
    let home = tempfile::tempdir().expect("a directory");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let said = summary(callboard(home.path()).args(serve));
    assert!(!said.contains("\n  demo ") && said.contains("Open http://localhost:"), "{said}");
    let said = summary(callboard(home.path()).args(serve).arg("--demo"));
    assert!(said.contains("\n  demo "), "{said}");
}

#[test]
fn a_demo_that_nobody_could_use_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    for beyond in [vec!["--anonymous-publish=false"], vec!["--listen", "0.0.0.0:0", "--expose-anyway"]] {
        let output = run(home.path(), &[&["check", "--demo"], &beyond[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{beyond:?}");
        assert!(text(&output.stderr).contains("demo is true"), "{}", text(&output.stderr));
    }
}
