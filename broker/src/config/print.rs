//! Configurations as text: the one in effect with where each value is from, and the example with every default.

use std::fmt::Write;

use super::datum::quoted;
use super::draft::{Draft, Source};
use super::setting::Setting;
use super::{Config, History, Pattern, datum::Datum};

/// The example of a configuration file: every setting with what it is for and its default, commented out.
pub const EXAMPLE: &str = include_str!("../../callboard.toml");

/// Where the sources of values begin in a line that has room.
const SOURCE_COLUMN: usize = 40;

impl Draft {
    /// The configuration in effect as TOML, with a comment behind each value that says where it is from. Read as a file
    /// it is the same configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in Setting::all() {
            if setting.section() != section {
                section = setting.section();
                put(&mut text, format_args!("\n[{section}]\n"));
            }
            match (setting.show)(&self.config) {
                Some(value) => line(&mut text, &format!("{} = {value}", setting.name()), &self.source_of(setting)),
                None => put(&mut text, format_args!("# {} is not set\n", setting.name())),
            }
        }
        let rules = self.config.history.iter().zip(self.rules.iter().chain(std::iter::repeat(&Source::Default)));
        for ((pattern, history), source) in rules {
            text.push('\n');
            line(&mut text, "[[history]]", source);
            put(&mut text, format_args!("{}", rule("", pattern, history)));
        }
        text
    }
}

fn line(text: &mut String, said: &str, source: &Source) {
    put(text, format_args!("{said:<SOURCE_COLUMN$} # {source}\n"));
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("writing to a string does not fail");
}

fn rule(before: &str, pattern: &Pattern, history: &History) -> String {
    let pattern = quoted(&pattern.to_string());
    let History { messages, bytes, age } = history;
    let age_ms = age.show().unwrap_or_default();
    format!(
        "{before}pattern = {pattern}\n{before}messages = {messages}\n{before}bytes = {bytes}\n{before}age_ms = {age_ms}\n"
    )
}

/// Makes the text that [`EXAMPLE`] must be.
#[must_use]
pub fn example() -> String {
    let mut text = HEAD.to_owned();
    let config = Config::new("");
    let mut section = "";
    for setting in Setting::all() {
        if setting.section() != section {
            section = setting.section();
            put(&mut text, format_args!("\n[{section}]\n"));
        }
        let (help, variable, flag) = (setting.help, setting.variable(), setting.flag());
        put(&mut text, format_args!("\n# {help}.\n# {variable}, --{flag}\n"));
        match (setting.show)(&config) {
            Some(value) => put(&mut text, format_args!("#{} = {value}\n", setting.name())),
            None => put(&mut text, format_args!("# for example: {} = {}\n", setting.name(), setting.sample)),
        }
    }
    let everything = Pattern::parse("**").expect("it is a pattern");
    put(&mut text, format_args!("{HISTORY}#[[history]]\n{}", rule("#", &everything, &History::default())));
    text
}

const HEAD: &str = "\
# Callboard's configuration: every setting with its default. Remove the # from what you want to change.
#
# Each can also be set by a variable or a flag, both named above it. A flag overrides its variable, the variable this
# file, the file the default. Paths are relative to this file. No secret belongs here.
#
#   callboard serve --config callboard.toml
#   callboard check --config callboard.toml --print
";

const HISTORY: &str = "
# How much channels remember, so that a client that was away misses nothing. The first rule whose pattern matches
# applies. In a pattern `*` is any one segment, and `**` at the end is one or more. This rule is the default for every
# channel; messages = 0 remembers nothing.
";

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_example_is_what_the_settings_say() {
        if std::env::var_os("CALLBOARD_UPDATE_EXAMPLE").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/callboard.toml"), example()).expect("written");
            return;
        }
        assert_eq!(EXAMPLE, example(), "run this test once with CALLBOARD_UPDATE_EXAMPLE=1 to write the file anew");
    }

    #[test]
    fn the_example_uncommented_is_the_defaults() {
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(said) if said.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => format!("{said}\n"),
                Some(_) | None => format!("{line}\n"),
            })
            .collect();
        let mut config = Draft::parse(Path::new("callboard.toml"), &uncommented).expect("a configuration").config;
        assert_eq!(config.history.len(), 1);
        assert_eq!(config.history.pop().map(|(_, history)| history), Some(History::default()));
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::new("")));
        let said = Setting::all().iter().filter(|setting| uncommented.contains(&format!("\n{} = ", setting.name())));
        assert!(said.count() > Setting::all().len() / 2, "the defaults are said and not left out");
    }

    #[test]
    fn what_is_printed_reads_as_the_same_configuration_and_tells_its_sources() {
        let text =
            "listen = \"127.0.0.1:1\"\n[tls]\ncert = \"/c\"\nkey = \"/k\"\n[[history]]\npattern = \"a/**\"\nbytes = 3";
        let mut draft = Draft::parse(Path::new("/etc/callboard.toml"), text).expect("a configuration");
        draft.config.data_dir = "/var/lib/\"quoted\"".into();
        let outbox = Setting::of("outbox.bytes").expect("a setting");
        draft.set(outbox, OsStr::new("2_000_000"), Source::Variable(outbox.variable())).expect("set");
        let log = Setting::of("log").expect("a setting");
        draft.set(log, OsStr::new("debug"), Source::Flag(log.flag())).expect("set");
        let printed = draft.to_toml();
        for (said, source) in [
            ("listen = \"127.0.0.1:1\"", "/etc/callboard.toml:1"),
            ("bytes = 2000000", "CALLBOARD_OUTBOX_BYTES"),
            ("log = \"debug\"", "--log"),
            ("idle_timeout_ms = 30000", "default"),
            ("[[history]]", "/etc/callboard.toml:5"),
        ] {
            let wanted = format!(" # {source}");
            assert!(printed.lines().any(|line| line.starts_with(said) && line.ends_with(&wanted)), "{said}: {printed}");
        }
        let again = Draft::parse(Path::new("/other.toml"), &printed).expect("a configuration");
        assert_eq!(format!("{:?}", again.config), format!("{:?}", draft.config));
    }

    #[test]
    fn a_later_layer_wins_and_an_empty_variable_says_nothing() {
        let mut draft = Draft::parse(Path::new("c.toml"), "subscriptions_max = 1").expect("a configuration");
        let setting = Setting::of("subscriptions_max").expect("a setting");
        draft.set(setting, OsStr::new(""), Source::Variable(setting.variable())).expect("nothing");
        assert_eq!((draft.config.subscriptions_max, draft.source_of(setting).to_string().as_str()), (1, "c.toml:1"));
        draft.set(setting, OsStr::new("2"), Source::Variable(setting.variable())).expect("set");
        draft.set(setting, OsStr::new("3"), Source::Flag(setting.flag())).expect("set");
        assert_eq!((draft.config.subscriptions_max, draft.source_of(setting)), (3, Source::Flag(setting.flag())));
        let mistake = draft.set(setting, OsStr::new("many"), Source::Flag(setting.flag())).expect_err("a mistake");
        assert_eq!(mistake.to_string(), "--subscriptions-max: subscriptions_max is `many`; expected a whole number");
    }
}
