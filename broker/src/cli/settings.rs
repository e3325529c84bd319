//! The settings of the broker on the command line: a flag and a variable for each, made from the list of settings alone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use callboard::config::{Draft, Kind, Setting, Source};
use clap::builder::{OsStr, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use super::args::Cli;
use super::exit;

/// The flags that every command has or that other commands have too: their meaning is one, and they are defined there.
const ELSEWHERE: &[&str] = &["log", "log_format"];

/// The configuration file, and what variables and flags say over it.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    file: Option<PathBuf>,
    said: Vec<(&'static Setting, OsString, Source)>,
}

impl Settings {
    /// What the file, the variables and the flags say together.
    pub(super) fn draft(&self) -> anyhow::Result<Draft> {
        let mut draft = self.file.as_deref().map(Draft::read).transpose().map_err(exit::usage)?.unwrap_or_default();
        let mut mistakes = slips(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()));
        for (setting, text, source) in &self.said {
            mistakes.extend(draft.set(setting, text, source.clone()).err().map(|mistake| mistake.to_string()));
        }
        if !mistakes.is_empty() {
            return Err(exit::usage(mistakes.join("\n")));
        }
        draft.complete().map_err(exit::usage)?;
        Ok(draft)
    }
}

/// The variables that are probably slips of the pen: no part of the program reads them, and one that it reads differs by
/// a letter or two. Others that begin like ours are left alone: orchestrators set some after a service's name.
fn slips(variables: impl Iterator<Item = String>) -> Vec<String> {
    let cli = Cli::command();
    let commands = std::iter::once(&cli).chain(cli.get_subcommands()).flat_map(|command| command.get_arguments());
    let known: BTreeSet<String> =
        commands.filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned)).collect();
    let slip = |variable: String| {
        if !variable.starts_with("CALLBOARD_") || known.contains(&variable) {
            return None;
        }
        let near = known.iter().find(|known| strsim::damerau_levenshtein(known, &variable) <= SLIP)?;
        Some(format!("{variable}: there is no such variable; did you mean {near}?"))
    };
    variables.filter_map(slip).collect()
}

/// Letters by which a slip differs from what was meant.
const SLIP: usize = 2;

fn augment(command: Command, fits: impl Fn(&Setting) -> bool) -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .env("CALLBOARD_CONFIG")
        .hide_env_values(true)
        .value_parser(ValueParser::path_buf())
        .help("A configuration file (TOML)");
    let flags = Setting::all().iter().filter(|setting| !ELSEWHERE.contains(&setting.key) && fits(setting)).map(flag);
    command.arg(file).args(flags)
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        augment(command, |_| true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<PathBuf>("config").filter(|path| !path.as_os_str().is_empty()).cloned();
        self.said = Setting::all().iter().filter_map(|setting| said(setting, matches)).collect();
        Ok(())
    }
}

/// The settings of a bridge, which has a browser's door and no broker.
#[derive(Debug, Clone, Default)]
pub(super) struct DoorSettings(Settings);

impl DoorSettings {
    /// What the file, the variables and the flags say together. Of what the file says of a broker nothing counts here.
    pub(super) fn draft(&self) -> anyhow::Result<Draft> {
        self.0.draft()
    }
}

/// Whether a bridge has this setting.
fn is_for_doors(setting: &Setting) -> bool {
    let of_doors = matches!(setting.section(), "ws" | "tls" | "drain");
    of_doors || OF_DOORS.contains(&setting.key)
}

/// What concerns a bridge of the other sections.
const OF_DOORS: &[&str] = &[
    "ws_listen",
    "data_dir",
    "expose_anyway",
    "hello_timeout_ms",
    "metrics_listen",
    "metrics_expose",
    "limits.connections",
    "limits.connections_per_address",
    "limits.inbox_bytes",
    "limits.outbox_bytes",
];

impl Args for DoorSettings {
    fn augment_args(command: Command) -> Command {
        augment(command, is_for_doors)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for DoorSettings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Settings::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// What was said about a setting, and where.
fn said(setting: &'static Setting, matches: &ArgMatches) -> Option<(&'static Setting, OsString, Source)> {
    // A command alone, as in tests, lacks the flags that are defined elsewhere.
    let text = matches.try_get_raw(setting.key).ok()??.next()?.to_owned();
    let from = matches.value_source(setting.key)?;
    let source = if from == ValueSource::EnvVariable {
        Source::Variable(setting.variable())
    } else {
        Source::Flag(setting.flag())
    };
    Some((setting, text, source))
}

fn flag(setting: &'static Setting) -> Arg {
    let (name, long) = (setting.flag(), setting.long_flag());
    let mut flag = Arg::new(setting.key)
        .long(name.clone())
        .env(OsStr::from(setting.variable()))
        .hide_env_values(true)
        .value_name(setting.kind.name())
        .value_parser(ValueParser::os_string())
        .help(setting.help)
        .help_heading(heading(setting))
        .hide_short_help(!COMMON.contains(&setting.key));
    if name != long {
        flag = flag.alias(long);
    }
    match setting.key {
        "tls.cert" => flag = flag.requires("tls.key"),
        "tls.key" => flag = flag.requires("tls.cert"),
        _ => {}
    }
    if setting.kind == Kind::Switch {
        flag = flag.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    flag
}

/// What the short help shows.
const COMMON: &[&str] = &[
    "listen",
    "ws_listen",
    "data_dir",
    "anonymous_publish",
    "expose_anyway",
    "demo",
    "metrics_listen",
    "tls.cert",
    "tls.key",
];

fn heading(setting: &Setting) -> &'static str {
    match setting.section() {
        "" if setting.key.starts_with("metrics") => "Metrics",
        "ws" => "Browsers",
        "" => "Broker",
        "tls" => "Certificate",
        "outbox" => "Slow readers",
        "drain" => "Shutdown",
        _ => "Limits",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variable: &str) -> Vec<String> {
        slips(std::iter::once(variable.to_owned()))
    }

    #[test]
    fn a_variable_that_is_nearly_ours_is_a_slip() {
        assert_eq!(
            found("CALLBOARD_OUTBX_BYTES"),
            ["CALLBOARD_OUTBX_BYTES: there is no such variable; did you mean CALLBOARD_OUTBOX_BYTES?"]
        );
        for other in ["CALLBOARD_OUTBOX_BYTES", "CALLBOARD_API_KEY", "CALLBOARD_PORT_4480_UDP", "CALLBOARD_BIN", "HOME"]
        {
            assert!(found(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn every_setting_has_its_flag() {
        let serve = Cli::command().find_subcommand("serve").expect("a command").clone();
        let cli = Cli::command();
        let flags: BTreeSet<&str> =
            serve.get_arguments().chain(cli.get_arguments()).filter_map(Arg::get_long).collect();
        for setting in Setting::all() {
            assert!(flags.contains(setting.flag().as_str()), "{}", setting.key);
        }
    }
}
