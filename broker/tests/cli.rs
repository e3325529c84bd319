//! The program keeps what its `--help` promises: exit codes, keys that work at once, pipes with nothing but messages.

#[path = "cli/configuration.rs"]
mod configuration;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/observing.rs"]
mod observing;
#[path = "cli/program.rs"]
mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

#[cfg(unix)]
use program::terminate;
use program::{Broker, callboard, run, text};

#[test]
fn help_and_version_are_no_failure() {
    let home = tempfile::tempdir().expect("a directory");
    for arguments in [vec!["--help"], vec!["--version"], vec!["serve", "--help"], vec!["help", "sub"]] {
        let output = run(home.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty());
    }
    assert!(text(&run(home.path(), &["--help"]).stdout).contains("Exit codes:"));
}

#[test]
fn help_never_shows_a_key_from_the_environment() {
    let home = tempfile::tempdir().expect("a directory");
    for command in ["pub", "sub"] {
        let output = callboard(home.path()).env("CALLBOARD_API_KEY", "canary").args([command, "--help"]).output();
        let output = output.expect("the program runs");
        assert!(!text(&output.stdout).contains("canary") && !text(&output.stderr).contains("canary"));
    }
}

#[test]
fn a_command_line_that_cannot_be_meant_ends_with_2() {
    let home = tempfile::tempdir().expect("a directory");
    let missing = home.path().join("missing.toml");
    let missing = missing.to_str().expect("a path");
    for arguments in [
        vec!["dance"],
        vec!["pub"],
        vec!["pub", "a//b", "x"],
        vec!["pub", "--json", "a", "{broken"],
        vec!["pub", "--url", "https://example.org", "a", "x"],
        vec!["sub", "--count", "0", "a"],
        vec!["serve", "--cert", "chain.pem"],
        vec!["serve", "--listen", "localhost"],
        vec!["serve", "--listen", "0.0.0.0:0"],
        vec!["serve", "--config", missing],
        vec!["serve", "--log", "callboard=loud"],
        vec!["token", "new", ""],
        vec!["token", "revoke", "nonsense"],
        vec!["bench"],
        vec!["bench", "fanout", "--payload", "8"],
        vec!["bench", "fanout", "--payload", "47", "--door", "json"],
        vec!["bench", "fanout", "--duration", "0s"],
        vec!["bench", "fanout", "--pid", "1"],
        vec!["bench", "fanout", "--url", "https://example.org"],
        vec!["bench", "idle", "--url", "callboard://localhost"],
        vec!["bench", "channels", "--limit", "quic"],
        vec!["bench", "fanout", "--door", "ws", "--limit", "quic"],
        vec!["bench", "fanout", "--door", "ws", "--url", "callboard://localhost"],
        vec!["bench", "fanout", "--insecure"],
        vec!["bench", "fanout", "--url", "callboard://localhost", "--ca", missing],
        vec!["completions", "csh"],
    ] {
        let output = run(home.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_broker_that_is_not_there_ends_with_3() {
    let home = tempfile::tempdir().expect("a directory");
    // Port 9 (discard) of the loopback has no listener on machines that run tests.
    let output =
        run(home.path(), &["pub", "--url", "callboard://127.0.0.1:9", "--insecure", "--timeout", "0.3", "a", "x"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let output = run(home.path(), &["bench", "ping", "--door", "ws", "--url", "ws://127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn a_broker_that_is_not_believed_ends_at_once_with_1_and_says_what_to_do() {
    let (home, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let broker = Broker::start(home.path(), &[]);
    let _other = Broker::start(elsewhere.path(), &[]);
    let pin = format!("sha256:{}", "0".repeat(64));
    let certificate = elsewhere.path().join("development-cert.pem");
    let ca = certificate.to_str().expect("a path");
    for (data_dir, trust, wanted) in [
        (home.path(), ["--pin", &pin], "give what it prints as its fingerprint with --pin"),
        (home.path(), ["--ca", ca], "what signed it?"),
        (elsewhere.path(), ["--timeout", "60"], "give that directory with --data-dir"),
    ] {
        let publish = [&["pub", "--url", &broker.url], &trust[..], &["a", "x"]].concat();
        // A measurement has a patience of its own.
        let trust = if trust[0] == "--timeout" { &[][..] } else { &trust[..] };
        for command in [publish, [&["bench", "ping", "--url", &broker.url], trust].concat()] {
            let output = run(data_dir, &command);
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{error}");
            assert_eq!(error.matches(&broker.url).count(), 1, "{error}");
            assert!(error.contains(wanted) && error.contains("is not trusted: its certificate"), "{error}");
            assert!(!error.contains("error 4"), "{error}");
        }
    }
}

#[test]
fn a_key_is_printed_once_listed_without_its_secret_and_revoked() {
    let home = tempfile::tempdir().expect("a directory");
    let made = run(home.path(), &["token", "new", "reporter"]);
    assert_eq!(made.status.code(), Some(0));
    let key = text(&made.stdout).trim().to_owned();
    let (id, secret) = key.strip_prefix("cb_").and_then(|rest| rest.split_once('_')).expect("a key");
    let list = text(&run(home.path(), &["token", "list"]).stdout);
    assert!(list.starts_with(id) && list.ends_with("reporter\n") && !list.contains(secret), "{list}");
    assert_eq!(run(home.path(), &["token", "revoke", id]).status.code(), Some(0));
    assert_eq!(text(&run(home.path(), &["token", "list"]).stdout), "");
    assert_eq!(run(home.path(), &["token", "revoke", id]).status.code(), Some(1));
    assert_eq!(run(home.path(), &["token", "new", "edge", "--bridge"]).status.code(), Some(0));
    assert!(text(&run(home.path(), &["token", "list"]).stdout).ends_with("  bridge  edge\n"));
}

#[test]
fn a_bridge_without_a_door_is_refused_by_who_checks_and_by_who_starts() {
    let home = tempfile::tempdir().expect("a directory");
    let bridge: &[&str] = &["bridge", "--upstream", "localhost", "--api-key", "cb_a_b"];
    for command in [&["check", "--bridge"], bridge] {
        let output = run(home.path(), &[command, &["--ws-listen", "false"]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(text(&output.stderr).contains("ws_listen is false"), "{}", text(&output.stderr));
    }
    assert_eq!(run(home.path(), &["check", "--bridge"]).status.code(), Some(0));
    assert_eq!(run(home.path(), &["check", "--ws-listen", "false"]).status.code(), Some(0));
}

#[test]
fn an_address_in_use_says_what_to_do_next() {
    let home = tempfile::tempdir().expect("a directory");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("an address").to_string();
    let output = run(home.path(), &["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("serve --listen 127.0.0.1:"), "{}", text(&output.stderr));
}

#[test]
fn a_pipe_gets_the_payloads_and_nothing_else() {
    let home = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(home.path(), &[]);
    let mut publish = callboard(home.path())
        .args(["pub", "--url", &broker.url, "demo/hello"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a publisher");
    publish.stdin.take().expect("its input").write_all(b"one\ntwo\n\x1b[31mthree\n").expect("written");
    let published = publish.wait_with_output().expect("an end");
    assert_eq!((published.status.code(), published.stdout.as_slice()), (Some(0), b"".as_slice()));

    let sub = |more: &[&str]| {
        let arguments =
            ["sub", "--url", &broker.url, "--rewind", "2", "--count", "2"].into_iter().chain(more.iter().copied());
        let output = run(home.path(), &arguments.collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(sub(&["demo/hello"]), "two\n\u{1b}[31mthree\n");
    assert_eq!(sub(&["demo/hello", "demo/other"]), "demo/hello\ttwo\ndemo/hello\t\u{1b}[31mthree\n");
    let json = sub(&["--json", "demo/hello"]);
    assert!(
        json.lines().next().is_some_and(|line| line.starts_with(r#"{"channel":"demo/hello","offset":2,"#)),
        "{json}"
    );
    assert!(json.contains(r#""publisher":null,"key":null,"kind":"text","payload":"two"}"#), "{json}");
}

#[test]
fn a_key_works_from_the_moment_it_is_made_until_it_is_revoked() {
    let home = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(home.path(), &["--anonymous-publish=false"]);
    let publish = |key: &str| {
        let mut command = callboard(home.path());
        command.env("CALLBOARD_API_KEY", key).args(["pub", "--url", &broker.url, "demo/hello", "hi"]);
        command.output().expect("the program runs")
    };
    let anonymous = publish("");
    assert_eq!(anonymous.status.code(), Some(1));
    assert!(text(&anonymous.stderr).contains("token new"), "{}", text(&anonymous.stderr));

    let key = text(&run(home.path(), &["token", "new", "reporter"]).stdout).trim().to_owned();
    assert_eq!(publish(&key).status.code(), Some(0));
    let id = key.split('_').nth(1).expect("an id");
    assert_eq!(run(home.path(), &["token", "revoke", id]).status.code(), Some(0));
    let refused = publish(&key);
    assert_eq!(refused.status.code(), Some(1));
    assert!(!text(&refused.stderr).contains(&key));
}

#[test]
fn a_subscriber_whose_key_is_revoked_ends_with_1_and_says_why() {
    let home = tempfile::tempdir().expect("a directory");
    let broker = Broker::start(home.path(), &[]);
    let key = text(&run(home.path(), &["token", "new", "reader"]).stdout).trim().to_owned();
    let mut subscriber = callboard(home.path())
        .env("CALLBOARD_API_KEY", &key)
        .args(["sub", "--url", &broker.url, "demo/hello"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a subscriber");
    let mut status = BufReader::new(subscriber.stderr.take().expect("its errors"));
    let mut line = String::new();
    status.read_line(&mut line).expect("a line");
    assert!(line.starts_with("connected to "), "{line}");
    let revoked = run(home.path(), &["token", "revoke", key.split('_').nth(1).expect("an id")]);
    assert!(text(&revoked.stderr).contains("end within a second"), "{}", text(&revoked.stderr));
    assert_eq!(subscriber.wait().expect("an end").code(), Some(1));
    let mut rest = String::new();
    status.read_to_string(&mut rest).expect("text");
    assert!(rest.contains("key was revoked") && !rest.contains(&key), "{rest}");
}

#[test]
fn a_channel_with_more_history_than_a_reader_holds_keeps_no_other_waiting() {
    let home = tempfile::tempdir().expect("a directory");
    let config = home.path().join("callboard.toml");
    std::fs::write(&config, "[[history]]\npattern = \"**\"\nmessages = 5000").expect("written");
    let broker = Broker::start(home.path(), &["--config", config.to_str().expect("a path")]);
    let mut publish = callboard(home.path())
        .args(["pub", "--url", &broker.url, "a"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a publisher");
    let lines: String = (0..4000).map(|number| format!("{number}\n")).collect();
    publish.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("written");
    assert_eq!(publish.wait().expect("an end").code(), Some(0));
    let channels = ["a", "b", "c", "d"];
    let arguments = ["sub", "--url", &broker.url, "--timeout", "3", "--rewind", "4000", "--count", "4000"];
    let output = run(home.path(), &[&arguments[..], &channels].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let wrong = printed.lines().zip(0..).find(|(line, number)| *line != format!("a\t{number}"));
    assert_eq!((wrong, printed.lines().count()), (None, 4000));
}

#[test]
fn a_measurement_checks_every_delivery() {
    for (door, limit) in [("quic", "quic"), ("ws", "ws"), ("json", "ws")] {
        check_a_measurement(door, limit);
    }
}

fn check_a_measurement(door: &str, limit: &str) {
    let home = tempfile::tempdir().expect("a directory");
    let short = ["bench", "fanout", "--subscribers", "20", "--duration", "300ms", "--runs", "1", "--json"];
    let output = run(home.path(), &[&short[..], &["--door", door, "--limit", limit]].concat());
    assert_eq!(output.status.code(), Some(0), "{door}: {}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let checked = &told["checked"];
    assert!(checked["delivered"].as_u64().is_some_and(|delivered| delivered >= 20 * 64), "{told}");
    for fault in ["lost", "twice_or_out_of_order", "strange"] {
        assert_eq!(checked[fault], 0, "{told}");
    }
    assert!(told["ratio"]["deliveries_per_s"]["median"].as_f64().is_some_and(|ratio| ratio > 0.0), "{told}");
}

#[test]
fn every_shell_is_told_of_every_command() {
    let home = tempfile::tempdir().expect("a directory");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(home.path(), &["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        assert!(["serve", "subscribers", "revoke"].iter().all(|word| script.contains(word)), "{shell}");
        assert!(
            !script.contains("bare-writer") && !script.contains("until-input"),
            "{shell}: what is hidden is listed"
        );
    }
}

#[test]
fn a_broker_that_must_not_outlive_its_starter_ends_with_its_input() {
    let home = tempfile::tempdir().expect("a directory");
    let mut serve = callboard(home.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--until-input-ends"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a broker");
    // However its starter ends, the system closes the pipe.
    drop(serve.stdin.take());
    assert_eq!(serve.wait().expect("an end").code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_subscriber_that_is_told_to_end_tells_the_broker() {
    let home = tempfile::tempdir().expect("a directory");
    let mut serve = callboard(home.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "debug"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a broker");
    let mut log = BufReader::new(serve.stderr.take().expect("its log")).lines().map_while(Result::ok);
    let broker = Broker::of(serve);
    let mut subscriber = callboard(home.path())
        .args(["sub", "--url", &broker.url, "demo/hello"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a subscriber");
    log.find(|line| line.contains("session opened")).expect("a session");
    terminate(&subscriber);
    assert_eq!(subscriber.wait().expect("an end").code(), Some(143));
    let ended = log.find(|line| line.contains("session ended")).expect("an end");
    assert!(ended.contains("4000"), "{ended}");
}

#[cfg(unix)]
#[test]
fn one_signal_ends_a_broker_well_and_a_subscriber_with_143() {
    let home = tempfile::tempdir().expect("a directory");
    let mut broker = Broker::start(home.path(), &[]);
    let mut subscriber = callboard(home.path())
        .args(["sub", "--url", &broker.url, "demo/hello"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a subscriber");
    let mut status = BufReader::new(subscriber.stderr.take().expect("its errors"));
    let mut line = String::new();
    status.read_line(&mut line).expect("a line");
    assert!(line.starts_with("connected to 127.0.0.1:"), "{line}");

    terminate(&broker.process);
    assert_eq!(broker.process.wait().expect("an end").code(), Some(0));
    line.clear();
    status.read_line(&mut line).expect("a line");
    assert!(line.contains("trying again"), "{line}");

    terminate(&subscriber);
    assert_eq!(subscriber.wait().expect("an end").code(), Some(143));
    let mut rest = String::new();
    status.read_to_string(&mut rest).expect("text");
}
