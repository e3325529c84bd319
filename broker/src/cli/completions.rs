//! `callboard completions`: prints what a shell needs to complete this command line. It installs nothing.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::Exit;
use super::output::nobody_reads;

const AFTER_HELP: &str = "\
Examples:
  source <(callboard completions bash)
  callboard completions zsh > \"${fpath[1]}/_callboard\"
  callboard completions fish > ~/.config/fish/completions/callboard.fish

Exit codes:
  0  done
  1  failed
  2  the command line is wrong";

/// Print what a shell needs to complete this command line.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Runs the command for the whole command line `cli`.
pub(super) fn run(command: &Completions, mut cli: Command) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut cli, "callboard", &mut script);
    match std::io::stdout().write_all(&script) {
        Err(error) if nobody_reads(&error) => Ok(Exit::Done),
        written => written.map(|()| Exit::Done).context("standard output cannot be written"),
    }
}
