//! From the command line to an exit code: parse, log, run one command, tell its error. The last place an error reaches.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use clap::Parser;

use super::args::{Cli, Command};
use super::escape::escape_lines;
use super::exit::{self, Exit};
use super::{logging, publish, serve, subscribe, token};

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let ended = execute(parse());
    if let Err(error) = &ended {
        let red: Style = AnsiColor::Red.on_default().bold();
        // If standard error is closed there is nobody left to tell.
        let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {}", escape_lines(&format!("{error:#}")));
    }
    exit::code(&ended)
}

/// The command line; without a command, the one for `serve` with its defaults and variables.
fn parse() -> Cli {
    let cli = Cli::parse();
    if cli.command.is_some() {
        return cli;
    }
    Cli { log: cli.log, ..Cli::parse_from(["callboard", "serve"]) }
}

fn execute(cli: Cli) -> anyhow::Result<Exit> {
    let Some(command) = cli.command else { return Ok(Exit::Done) };
    let default = if matches!(command, Command::Serve(_)) { logging::SERVE } else { logging::QUIET };
    logging::start(cli.log.as_deref(), default)?;
    match command {
        Command::Serve(command) => on_runtime(serve::run(command)),
        Command::Pub(command) => on_runtime(publish::run(command)),
        Command::Sub(command) => on_runtime(subscribe::run(command)),
        Command::Token(command) => token::run(command),
    }
}

fn on_runtime(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("this machine gives no threads or no descriptors; raise its limits")?;
    let ended = runtime.block_on(command);
    // A read of standard input or a write to a stuck pipe may still be under way, and must not hold the process.
    runtime.shutdown_background();
    ended
}
