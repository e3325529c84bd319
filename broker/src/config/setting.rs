//! A setting: one key, and from it the name of its variable and of its flag. What it does is not known here.

use super::Config;
use super::datum::Raw;
use super::table::SETTINGS;

/// A setting of the broker. In the file it is its key, and what it is called elsewhere follows from that: `outbox.bytes`,
/// `CALLBOARD_OUTBOX_BYTES`, `--outbox-bytes`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setting {
    /// Its key in the file, with its table's name before it.
    pub key: &'static str,
    /// What it is for, as a phrase that stands as well behind a flag as above a line of the file.
    pub help: &'static str,
    /// What its value is like.
    pub kind: Kind,
    /// The flag's name, where it is not the key with dashes.
    pub(super) short: Option<&'static str>,
    /// A value to show in the example of a file, for a setting that is not set by default.
    pub(super) sample: &'static str,
    /// Reads its value from a configuration, as TOML; `None` if it is not set.
    pub(super) show: fn(&Config) -> Option<String>,
    /// Writes a value to a configuration; `None` if that is no value for it.
    pub(super) set: fn(&mut Config, &Raw<'_>) -> Option<()>,
}

/// What a setting's value is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An IP and a port.
    Address,
    /// A path. One in a file is relative to the file's directory.
    Path,
    /// Yes or no.
    Switch,
    /// A whole number.
    Count,
    /// A whole number of bytes.
    Bytes,
    /// A whole number of milliseconds.
    Millis,
    /// A level of logging, or filters.
    Filter,
    /// `human` or `json`.
    LogFormat,
    /// An IP and a port, or yes or no.
    Listen,
    /// A list of origins of pages.
    Origins,
    /// A list of host names.
    Hosts,
    /// A list of networks.
    Networks,
    /// `x-forwarded` or `forwarded`.
    ProxyHeader,
    /// A name that HTTP uses.
    Name,
}

impl Kind {
    /// How help calls a value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "ADDR",
            Self::Path => "PATH",
            Self::Switch => "true|false",
            Self::Count => "N",
            Self::Bytes => "BYTES",
            Self::Millis => "MS",
            Self::Filter => "LEVEL",
            Self::LogFormat => "human|json",
            Self::Listen => "ADDR|true|false",
            Self::Origins => "ORIGIN,…",
            Self::Hosts => "HOST,…",
            Self::Networks => "NET,…",
            Self::ProxyHeader => "x-forwarded|forwarded",
            Self::Name => "NAME",
        }
    }

    /// What is allowed.
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Address => "an IP and a port, such as \"127.0.0.1:4480\", \"0.0.0.0:4480\" or \"[::1]:4480\"",
            Self::Path => "a path",
            Self::Switch => "true or false",
            Self::Count => "a whole number",
            Self::Bytes => "a whole number of bytes, such as 65536 or 65_536",
            Self::Millis => "a whole number of milliseconds, such as 5000",
            Self::Filter => "a level (error, warn, info, debug, trace) or filters such as \"callboard=debug\"",
            Self::LogFormat => "\"human\" or \"json\"",
            Self::Listen => {
                "an IP and a port, such as \"127.0.0.1:4480\"; true for loopback and the port of listen; \
                false"
            }
            Self::Origins => {
                "a list of origins, such as \"https://app.example.org\", \"https://*.example.org\", \
                 \"capacitor://localhost\" \
                 or \"*\""
            }
            Self::Hosts => "a list of names without a port, such as \"bus.example.org\" or \"*.example.org\"",
            Self::Networks => "a list of networks, such as \"10.0.0.0/8\" or \"::1/128\"",
            Self::ProxyHeader => "\"x-forwarded\" or \"forwarded\"",
            Self::Name => "a name of letters, digits, `-`, `_` and `.`",
        }
    }
}

impl Setting {
    /// Every setting, in the order of the file.
    #[must_use]
    pub fn all() -> &'static [Self] {
        SETTINGS
    }

    /// The setting of this key.
    #[must_use]
    pub fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The name of its variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("CALLBOARD_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// The name of its flag, without the dashes before it.
    #[must_use]
    pub fn flag(&self) -> String {
        self.short.map_or_else(|| self.long_flag(), str::to_owned)
    }

    /// The flag's name as it follows from the key.
    #[must_use]
    pub fn long_flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The table that it stands in; empty for the settings before the first table.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within its table.
    pub(super) fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }
}

/// The one of `known` that was probably meant by `written`, if any is like it. How words are joined makes no difference.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['.', '-'], "_").to_ascii_lowercase();
    let written = plain(written);
    let alike = known.map(|name| (strsim::normalized_damerau_levenshtein(&written, &plain(name)), name));
    alike.filter(|(likeness, _)| *likeness >= LIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

/// From here on two names are alike: `idle_timeout` and `idle_timeout_ms` are, `port` and `cert` are not.
const LIKE: f64 = 0.7;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_from_the_key() {
        let outbox = Setting::of("outbox.bytes").expect("a setting");
        assert_eq!(outbox.variable(), "CALLBOARD_OUTBOX_BYTES");
        assert_eq!(outbox.flag(), "outbox-bytes");
        assert_eq!((outbox.section(), outbox.name()), ("outbox", "bytes"));
        let births = Setting::of("limits.births.per_second").expect("a setting");
        assert_eq!(births.variable(), "CALLBOARD_LIMITS_BIRTHS_PER_SECOND");
        assert_eq!((births.section(), births.name()), ("limits", "births.per_second"));
        assert_eq!(Setting::of("tls.cert").expect("a setting").flag(), "cert");
    }

    #[test]
    fn every_name_is_used_once_and_tables_are_not_torn() {
        let mut names = BTreeSet::new();
        for setting in SETTINGS {
            assert!(names.insert(setting.variable()), "{}", setting.key);
            assert!(names.insert(setting.flag()), "{}", setting.key);
        }
        let mut sections: Vec<&str> = SETTINGS.iter().map(Setting::section).collect();
        sections.dedup();
        assert_eq!(sections.len(), sections.iter().collect::<BTreeSet<_>>().len(), "{sections:?}");
        assert_eq!(sections.first(), Some(&""), "what stands in no table stands before every table");
    }

    #[test]
    fn every_help_is_a_phrase() {
        for setting in SETTINGS {
            assert!(setting.help.starts_with(|c: char| c.is_uppercase()), "{}", setting.key);
            assert!(!setting.help.ends_with('.') && setting.help.len() <= 160, "{}", setting.key);
        }
    }

    #[test]
    fn a_slip_is_told_from_another_word() {
        let known = || SETTINGS.iter().map(|setting| setting.key);
        assert_eq!(nearest("listne", known()), Some("listen"));
        assert_eq!(nearest("idle_timeout", known()), Some("idle_timeout_ms"));
        assert_eq!(nearest("outbox_bytes", known()), Some("outbox.bytes"));
        assert_eq!(nearest("outbox.byte", known()), Some("outbox.bytes"));
        assert_eq!(nearest("port", known()), None);
    }
}
