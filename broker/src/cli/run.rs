//! From the command line to an exit code: parse, log, run one command, tell its error. The last place an error reaches.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::args::{Cli, Command};
use super::escape::escape_lines;
use super::exit::{self, Exit};
use super::{bench, bridge, check, completions, logging, publish, serve, subscribe, token};

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let ended = execute(parse());
    if let Err(error) = &ended {
        tell(&escape_lines(&sentence(error)));
    }
    exit::code(&ended)
}

/// An error with its causes, each said once: some sentences have theirs in them.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !said.contains(&cause) {
            let colon = if said.is_empty() { "" } else { ": " };
            said.push_str(colon);
            said.push_str(&cause);
        }
    }
    said
}

fn tell(error: &str) {
    if logging::is_json() {
        return tracing::error!("{error}");
    }
    let red: Style = AnsiColor::Red.on_default().bold();
    // If standard error is closed there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {error}");
}

/// The command line; without a command, the same one for `serve`, with the demo.
fn parse() -> Cli {
    let mut words = std::env::args_os();
    let program = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let error = match Cli::try_parse_from(std::iter::once(&program).chain(&words)) {
        Ok(cli) if cli.command.is_some() => return cli,
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::UnknownArgument => Some(error),
        Err(error) => error.exit(),
    };
    match Cli::try_parse_from([program, "serve".into()].iter().chain(&words)) {
        Ok(mut cli) => {
            if let Some(Command::Serve(serve)) = &mut cli.command {
                serve.is_implicit = true;
            }
            cli
        }
        // What is said of `serve` helps only who meant it.
        Err(of_serve) => error.filter(|_| name_a_command(&words)).unwrap_or(of_serve).exit(),
    }
}

fn name_a_command(words: &[OsString]) -> bool {
    let cli = Cli::command();
    words.iter().filter_map(|word| word.to_str()).any(|word| word == "help" || cli.find_subcommand(word).is_some())
}

fn execute(cli: Cli) -> anyhow::Result<Exit> {
    let format = cli.log_format()?;
    let Some(command) = cli.command else { return Ok(Exit::Done) };
    if !matches!(command, Command::Serve(_) | Command::Bridge(_) | Command::Check(_)) {
        // What these log, or would log, is a matter of their configuration.
        logging::start(cli.log.as_deref(), format, logging::QUIET)?;
    }
    match command {
        Command::Serve(command) => on_runtime(serve::run(command)),
        Command::Bridge(command) => on_runtime(bridge::run(command)),
        Command::Check(command) => check::run(command),
        Command::Pub(command) => on_runtime(publish::run(command)),
        Command::Sub(command) => on_runtime(subscribe::run(command)),
        Command::Token(command) => token::run(command),
        Command::Bench(command) => bench::run(command),
        Command::Completions(command) => completions::run(&command, Cli::command()),
    }
}

fn on_runtime(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the system refused threads or file descriptors; raise its limits")?;
    let ended = runtime.block_on(command);
    // A read of standard input or a write to a stuck pipe may still be under way, and must not hold the process.
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let within = anyhow::Error::from(cause()).context(format!("not saved: {}; make room", cause()));
        assert_eq!(sentence(&within), format!("not saved: {}; make room", cause()));
        let behind = anyhow::Error::from(cause()).context("not saved");
        assert_eq!(sentence(&behind), format!("not saved: {}", cause()));
    }
}
