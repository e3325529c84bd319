//! What a configuration file can say, and what it is told when it says something else.

use std::time::Duration;

use callboard_protocol::ChannelName;

use super::*;
use crate::config::{Config, LoadError, LogFormat, Tls};
use crate::defaults;

fn draft(text: &str) -> Draft {
    Draft::parse(Path::new("/srv/callboard.toml"), text).expect("a configuration")
}

fn mistakes(text: &str) -> Vec<String> {
    let Err(LoadError::Mistaken(mistakes)) = Draft::parse(Path::new("callboard.toml"), text) else { return Vec::new() };
    mistakes.iter().map(Mistake::to_string).collect()
}

#[test]
fn an_empty_file_changes_nothing() {
    assert_eq!(format!("{:?}", draft("").config), format!("{:?}", Config::new("")));
}

#[test]
fn every_kind_of_setting_can_be_said() {
    let draft = draft(
        r#"
        listen = "[::1]:5000"
        data_dir = "state"
        anonymous_publish = false
        payload_bytes_max = 1_000
        hello_timeout_ms = 1
        metrics_listen = "127.0.0.1:0"
        log = "debug"
        log_format = "json"
        tls = { cert = "/etc/callboard/chain.pem", key = "key.pem" }
        outbox.messages = 0x4
        [drain]
        deadline_ms = 6
        [limits.births]
        per_second = 7
        [[history]]
        pattern = "chat/**"
        messages = 8
        [[history]]
        pattern = "**"
        bytes = 9
        age_ms = 10
        "#,
    );
    let config = &draft.config;
    assert_eq!(config.listen.to_string(), "[::1]:5000");
    assert_eq!(config.data_dir, Path::new("/srv/state"));
    assert_eq!(config.anonymous_publish, Some(false));
    assert_eq!((config.payload_bytes_max, config.outbox.messages), (1000, 4));
    assert_eq!(config.hello_timeout, Duration::from_millis(1));
    assert_eq!(config.metrics_listen.map(|address| address.port()), Some(0));
    assert_eq!((config.log.as_deref(), config.log_format), (Some("debug"), LogFormat::Json));
    assert_eq!(config.tls, Tls::Pem { chain: "/etc/callboard/chain.pem".into(), key: "/srv/key.pem".into() });
    assert_eq!(config.drain.deadline, Duration::from_millis(6));
    assert_eq!(config.limits.births.per_second, 7);
    let chat = config.history_of(&ChannelName::parse("chat/7").expect("a name"));
    assert_eq!(chat, History { messages: 8, ..History::default() });
    let other = config.history_of(&ChannelName::parse("other").expect("a name"));
    assert_eq!(other.messages, defaults::HISTORY_MESSAGES);
    assert_eq!((other.bytes, other.age), (9, Duration::from_millis(10)));
}

#[test]
fn every_value_knows_its_line() {
    let draft = draft("listen = \"127.0.0.1:1\"\n\n[outbox]\nbytes = 2\n[[history]]\npattern = \"**\"");
    let source = |key| draft.source_of(Setting::of(key).expect("a setting")).to_string();
    assert_eq!(source("listen"), "/srv/callboard.toml:1");
    assert_eq!(source("outbox.bytes"), "/srv/callboard.toml:4");
    assert_eq!(source("outbox.messages"), "default");
    assert_eq!(draft.rules.first().map(Source::to_string).as_deref(), Some("/srv/callboard.toml:5"));
}

#[test]
fn a_mistake_is_told_with_its_place_and_with_what_is_allowed() {
    for (text, wanted) in [
        ("listne = \"127.0.0.1:1\"", "callboard.toml:1:1: `listne` is not a setting; did you mean `listen`?"),
        ("\n[outbox]\n  byte = 1", "callboard.toml:3:3: `outbox.byte` is not a setting; did you mean `outbox.bytes`?"),
        ("outbox_bytes = 1", "callboard.toml:1:1: `outbox_bytes` is not a setting; did you mean `outbox.bytes`?"),
        ("[outbax]\nbytes = 1", "callboard.toml:1:2: `outbax` is not a setting"),
        ("colour = 1", "callboard.toml:1:1: `colour` is not a setting; `callboard check --example` shows every one"),
        ("listen = \"localhost\"", "callboard.toml:1:1: listen is \"localhost\"; expected an IP and a port"),
        ("idle_timeout_ms = -1", "callboard.toml:1:1: idle_timeout_ms is -1; expected a whole number"),
        ("log_format = 3", "callboard.toml:1:1: log_format is 3; expected \"human\" or \"json\""),
        ("expose_anyway = \"yes\"", "callboard.toml:1:1: expose_anyway is \"yes\"; expected true or false"),
        ("outbox = 3", "callboard.toml:1:1: outbox is a table: [outbox]"),
        ("history = 3", "callboard.toml:1:1: history is a list of rules"),
        (
            "[[history]]\npatern = \"a\"",
            "callboard.toml:2:1: `history.patern` is not a setting; did you mean `history.pattern`?",
        ),
        ("[[history]]\nmessages = 1", "callboard.toml:1:1: history.pattern is missing"),
        ("[[history]]\npattern = \"**/a\"", "callboard.toml:2:1: the pattern `**/a` has `**` before its end"),
        ("listen = ", "callboard.toml:1:"),
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(wanted), "{text}: {found:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_in_order() {
    let found = mistakes("subscriptions_max = \"a\"\nzzz = 1\nlisten = 1");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("callboard.toml:1:") && found[2].starts_with("callboard.toml:3:"), "{found:?}");
}
