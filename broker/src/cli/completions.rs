//! `callboard completions`: prints what a shell needs to complete this command line. It installs nothing.

use anyhow::Context;
use clap::{Arg, Args, Command};
use clap_complete::Shell;

use super::exit::Exit;
use super::output::print;

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
    let script = without_hidden(&String::from_utf8(script).context("a script is text")?, &cli);
    print(&script)?;
    Ok(Exit::Done)
}

/// The script lists hidden flags with the others: as a word among many for bash, in a line of its own for other shells.
fn without_hidden(script: &str, cli: &Command) -> String {
    let arguments = cli.get_subcommands().flat_map(Command::get_arguments);
    let hidden: Vec<&str> = arguments.filter(|argument| argument.is_hide_set()).filter_map(Arg::get_long).collect();
    let words = hidden.iter().fold(script.to_owned(), |script, long| script.replace(&format!(" --{long} "), " "));
    words.split_inclusive('\n').filter(|line| !hidden.iter().any(|long| line.contains(long))).collect()
}
