//! The configuration file: TOML whose every key is known and optional; never read twice, and never a place for secrets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{Config, History, Pattern, Tls};

/// What a configuration file says. What it leaves out stays as it was. Paths are relative to the file's directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    listen: Option<std::net::SocketAddr>,
    data_dir: Option<PathBuf>,
    anonymous_publish: Option<bool>,
    expose_anyway: Option<bool>,
    payload_bytes_max: Option<usize>,
    subscriptions_max: Option<usize>,
    hello_timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    channel_idle_ms: Option<u64>,
    tls: Option<TlsTable>,
    outbox: OutboxTable,
    drain: DrainTable,
    history: Vec<HistoryTable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OutboxTable {
    messages: Option<usize>,
    bytes: Option<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DrainTable {
    deadline_ms: Option<u64>,
    spread_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryTable {
    pattern: Pattern,
    messages: Option<usize>,
    bytes: Option<usize>,
    age_ms: Option<u64>,
}

/// Why a configuration file cannot be used. The operator is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key or a value that no setting has.
    #[error("the configuration file {} has a mistake: {sentence}", path.display())]
    Mistaken {
        /// The file.
        path: PathBuf,
        /// Where the mistake is, and what was expected there.
        sentence: String,
    },
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`FileError::Unreadable`] or [`FileError::Mistaken`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
        let file = Self::parse(&text)
            .map_err(|error| FileError::Mistaken { path: path.to_owned(), sentence: error.to_string() })?;
        Ok(file.relative_to(path.parent().unwrap_or(Path::new(""))))
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    fn relative_to(mut self, directory: &Path) -> Self {
        self.data_dir = self.data_dir.map(|path| directory.join(path));
        self.tls = self.tls.map(|tls| TlsTable { cert: directory.join(tls.cert), key: directory.join(tls.key) });
        self
    }

    /// Where the file wants data to be kept.
    #[must_use]
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// Writes what the file says over `config`.
    pub fn apply(self, config: &mut Config) {
        set(&mut config.listen, self.listen);
        set(&mut config.data_dir, self.data_dir);
        set(&mut config.expose_anyway, self.expose_anyway);
        set(&mut config.payload_bytes_max, self.payload_bytes_max);
        set(&mut config.subscriptions_max, self.subscriptions_max);
        set(&mut config.hello_timeout, self.hello_timeout_ms.map(Duration::from_millis));
        set(&mut config.idle_timeout, self.idle_timeout_ms.map(Duration::from_millis));
        set(&mut config.channel_idle, self.channel_idle_ms.map(Duration::from_millis));
        set(&mut config.tls, self.tls.map(|tls| Tls::Pem { chain: tls.cert, key: tls.key }));
        set(&mut config.outbox.messages, self.outbox.messages);
        set(&mut config.outbox.bytes, self.outbox.bytes);
        set(&mut config.drain.deadline, self.drain.deadline_ms.map(Duration::from_millis));
        set(&mut config.drain.spread, self.drain.spread_ms.map(Duration::from_millis));
        config.anonymous_publish = self.anonymous_publish.or(config.anonymous_publish);
        config.history.extend(self.history.into_iter().map(HistoryTable::rule));
    }
}

impl HistoryTable {
    fn rule(self) -> (Pattern, History) {
        let mut history = History::default();
        set(&mut history.messages, self.messages);
        set(&mut history.bytes, self.bytes);
        set(&mut history.age, self.age_ms.map(Duration::from_millis));
        (self.pattern, history)
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::ChannelName;

    use super::*;
    use crate::defaults;

    #[test]
    fn an_empty_file_changes_nothing() {
        let mut config = Config::new("data");
        File::parse("").expect("a file").apply(&mut config);
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::new("data")));
    }

    #[test]
    fn every_setting_can_be_said() {
        let text = r#"
            listen = "[::1]:5000"
            data_dir = "state"
            anonymous_publish = false
            expose_anyway = true
            payload_bytes_max = 1000
            subscriptions_max = 7
            hello_timeout_ms = 1
            idle_timeout_ms = 2
            channel_idle_ms = 3
            [tls]
            cert = "/etc/callboard/chain.pem"
            key = "key.pem"
            [outbox]
            messages = 4
            bytes = 5
            [drain]
            deadline_ms = 6
            spread_ms = 7
            [[history]]
            pattern = "chat/**"
            messages = 8
            [[history]]
            pattern = "**"
            bytes = 9
            age_ms = 10
        "#;
        let mut config = Config::new("data");
        File::parse(text).expect("a file").relative_to(Path::new("/srv")).apply(&mut config);
        assert_eq!(config.listen.to_string(), "[::1]:5000");
        assert_eq!(config.data_dir, Path::new("/srv/state"));
        assert_eq!(config.anonymous_publish, Some(false));
        assert!(config.expose_anyway);
        assert_eq!((config.payload_bytes_max, config.subscriptions_max), (1000, 7));
        assert_eq!(config.hello_timeout, Duration::from_millis(1));
        assert_eq!(config.idle_timeout, Duration::from_millis(2));
        assert_eq!(config.channel_idle, Duration::from_millis(3));
        let tls = Tls::Pem { chain: "/etc/callboard/chain.pem".into(), key: "/srv/key.pem".into() };
        assert_eq!(config.tls, tls);
        assert_eq!((config.outbox.messages, config.outbox.bytes), (4, 5));
        assert_eq!(config.drain.deadline, Duration::from_millis(6));
        assert_eq!(config.drain.spread, Duration::from_millis(7));
        let chat = config.history_of(&ChannelName::parse("chat/7").expect("a name"));
        assert_eq!(chat, History { messages: 8, ..History::default() });
        let other = config.history_of(&ChannelName::parse("other").expect("a name"));
        assert_eq!(other.messages, defaults::HISTORY_MESSAGES);
        assert_eq!((other.bytes, other.age), (9, Duration::from_millis(10)));
    }

    #[test]
    fn a_key_that_no_setting_has_is_a_mistake_with_its_line() {
        for (text, wanted) in [
            ("listne = \"127.0.0.1:1\"", "unknown field `listne`"),
            ("[tls]\ncert = \"a\"", "missing field `key`"),
            ("listen = \"localhost\"", "invalid socket address"),
            ("[[history]]\npattern = \"**/a\"", "stands before the end"),
            ("idle_timeout_ms = -1", "invalid value"),
        ] {
            let sentence = File::parse(text).expect_err("a mistake").to_string();
            assert!(sentence.contains(wanted) && sentence.contains("line"), "{sentence}");
        }
    }
}
