//! `callboard check`: what is wrong with a configuration is told with its place, and what is right is shown with its source.

use std::path::Path;

use crate::program::{callboard, run, text};

fn written(home: &Path, content: &str) -> String {
    let path = home.join("callboard.toml");
    std::fs::write(&path, content).expect("written");
    path.to_str().expect("a path").to_owned()
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_nearest_key() {
    let home = tempfile::tempdir().expect("a directory");
    let file = written(home.path(), "listne = \"127.0.0.1:1\"\n[outbox]\nbytes = \"many\"\n");
    for command in ["check", "serve"] {
        let output = run(home.path(), &[command, "--config", &file]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(output.stdout.is_empty());
        assert!(error.contains(&format!("{file}:1:1: `listne` is not a setting; did you mean `listen`?")), "{error}");
        assert!(error.contains(&format!("{file}:3:1: outbox.bytes is \"many\"; expected a whole number")), "{error}");
    }
}

#[test]
fn a_slip_in_a_variable_or_a_flag_is_told_too() {
    let home = tempfile::tempdir().expect("a directory");
    let slip =
        callboard(home.path()).env("CALLBOARD_OUTBX_BYTES", "1").arg("check").output().expect("the program runs");
    assert_eq!(slip.status.code(), Some(2));
    assert!(text(&slip.stderr).contains("did you mean CALLBOARD_OUTBOX_BYTES?"), "{}", text(&slip.stderr));

    let value = callboard(home.path()).env("CALLBOARD_DRAIN_DEADLINE_MS", "soon").arg("check").output();
    let error = text(&value.expect("the program runs").stderr);
    assert!(error.contains("CALLBOARD_DRAIN_DEADLINE_MS: drain.deadline_ms is `soon`; expected"), "{error}");

    let flag = run(home.path(), &["check", "--outbx-bytes", "1"]);
    assert_eq!(flag.status.code(), Some(2));
    assert!(text(&flag.stderr).contains("'--outbox-bytes' exists") || text(&flag.stderr).contains("--outbox-bytes"));
}

#[test]
fn every_value_is_shown_with_where_it_is_from() {
    let home = tempfile::tempdir().expect("a directory");
    let file = written(home.path(), "subscriptions_max = 1\nidle_timeout_ms = 2000\n[drain]\nspread_ms = 3\n");
    let output = callboard(home.path())
        .env("CALLBOARD_IDLE_TIMEOUT_MS", "4000")
        .env("CALLBOARD_DRAIN_SPREAD_MS", "5")
        .env("CALLBOARD_OUTBOX_MESSAGES", "")
        .args(["check", "--print", "--config", &file, "--drain-spread-ms", "6", "--metrics", "127.0.0.1:0"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for (said, source) in [
        ("subscriptions_max = 1 ", format!("# {file}:1")),
        ("idle_timeout_ms = 4000 ", "# CALLBOARD_IDLE_TIMEOUT_MS".to_owned()),
        ("spread_ms = 6 ", "# --drain-spread-ms".to_owned()),
        ("metrics_listen = \"127.0.0.1:0\" ", "# --metrics".to_owned()),
        ("messages = 16384 ", "# default".to_owned()),
        ("data_dir = ", "# CALLBOARD_DATA_DIR".to_owned()),
    ] {
        assert!(printed.lines().any(|line| line.starts_with(said) && line.ends_with(&source)), "{said}: {printed}");
    }
    let again = written(home.path(), &printed);
    let output = run(home.path(), &["check", "--config", &again]);
    assert_eq!(output.status.code(), Some(0), "what is printed is a file: {}", text(&output.stderr));
}

#[test]
fn the_most_memory_is_told_and_follows_the_limits() {
    let home = tempfile::tempdir().expect("a directory");
    let total = |arguments: &[&str]| {
        let output = run(home.path(), &[&["check"], arguments].concat());
        let printed = text(&output.stdout);
        let line = printed.lines().find(|line| line.trim_start().starts_with("in all")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no sum: {printed}"))
    };
    let few = [
        "--ws-listen=false",
        "--limits-connections=10",
        "--limits-channels=10",
        "--limits-history-bytes=0",
        "--limits-outbox-bytes=0",
        "--limits-window-bytes=1000000",
    ];
    assert!(total(&few).contains("MiB"), "{}", total(&few));
    assert!(total(&[]).contains("GiB"), "{}", total(&[]));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_and_the_example_is_good() {
    let home = tempfile::tempdir().expect("a directory");
    let file = written(home.path(), "listen = \"0.0.0.0:4480\"\nanonymous_publish = true\n");
    let refused = run(home.path(), &["check", "--config", &file]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--expose-anyway"));
    let example = text(&run(home.path(), &["check", "--example"]).stdout);
    let file = written(home.path(), &example);
    assert_eq!(run(home.path(), &["check", "--config", &file]).status.code(), Some(0));
}
