//! What the command line can say at its top; each command's own part stands in that command's file.

use callboard::config::LogFormat;
use clap::{Parser, Subcommand};

use super::bench::Bench;
use super::bridge::Bridge;
use super::check::Check;
use super::completions::Completions;
use super::exit;
use super::publish::Publish;
use super::serve::Serve;
use super::subscribe::Subscribe;
use super::token::Token;

const AFTER_HELP: &str = "\
Examples:
  callboard                          run a broker here, with a page to see it
  callboard --listen 127.0.0.1:5000  run it on another port
  callboard sub demo/hello           print what is published to a channel
  callboard pub demo/hello \"hi\"      publish to it, from another terminal

Exit codes:
  0    done
  1    failed or refused
  2    the command line or the configuration is wrong
  3    the broker could not be reached in time
  130  interrupted (SIGINT); 143 after SIGTERM";

/// A real-time message bus: run a broker, publish, subscribe.
///
/// Without a command it runs a broker as `callboard serve` does, with the same options, and with the demo where only
/// this machine can connect.
#[derive(Debug, Parser)]
#[command(name = "callboard", version, after_help = AFTER_HELP)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    /// What to log to standard error: a level (error, warn, info, debug, trace) or filters, such as `callboard=debug`.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "CALLBOARD_LOG",
        hide_env_values = true,
        help_heading = "Logging"
    )]
    pub(super) log: Option<String>,

    /// Format of the log: for people, or one JSON object per line for machines [default: human]
    #[arg(
        long,
        global = true,
        value_name = "human|json",
        env = "CALLBOARD_LOG_FORMAT",
        hide_env_values = true,
        help_heading = "Logging"
    )]
    pub(super) log_format: Option<String>,
}

impl Cli {
    /// How to log, where no configuration file has a say.
    pub(super) fn log_format(&self) -> anyhow::Result<LogFormat> {
        match self.log_format.as_deref() {
            None | Some("" | "human") => Ok(LogFormat::Human),
            Some("json") => Ok(LogFormat::Json),
            Some(other) => Err(exit::usage(format!("--log-format is human or json, not `{other}`"))),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a broker.
    Serve(Serve),
    /// Run a bridge: serve browsers here for a broker elsewhere.
    Bridge(Bridge),
    /// Check a configuration without starting anything.
    Check(Check),
    /// Publish to a channel.
    Pub(Publish),
    /// Print the messages of channels as they arrive.
    Sub(Subscribe),
    /// Make, list and revoke API keys.
    Token(Token),
    /// Measure a broker: processor time, memory and latency, with every delivery checked.
    Bench(Bench),
    /// Print what a shell needs to complete this command line.
    Completions(Completions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_tells_the_exit_codes() {
        let mut command = Cli::command();
        assert!(command.render_long_help().to_string().contains("Exit codes:"));
        for sub in ["serve", "bridge", "check", "pub", "sub", "token", "bench", "completions"] {
            let help = command.find_subcommand_mut(sub).expect("a command").render_long_help().to_string();
            assert!(help.contains("Exit codes:") && help.contains("Examples:"), "{sub}");
        }
    }

    #[test]
    fn help_is_wrapped_by_the_terminal_and_not_by_its_source() {
        let commands = Cli::command();
        for command in std::iter::once(&commands).chain(commands.get_subcommands()) {
            let help = command.get_after_help().expect("examples and exit codes").to_string();
            let lines: Vec<&str> = help.lines().collect();
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
            assert!(!lines.windows(2).any(|pair| is_prose(pair[0]) && is_prose(pair[1])), "{help}");
            assert!(lines.iter().all(|line| is_prose(line) || line.len() <= 80), "{help}");
        }
    }
}
