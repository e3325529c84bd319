//! `callboard token`: makes, lists and revokes API keys in the data directory; never talks to a broker.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use callboard::config::Draft;
use callboard::identity::{KeyError, KeyId, KeyStore, Rights, StoredKey};
use clap::{Args, Subcommand};

use super::data_dir::DataDirArgs;
use super::exit::{self, Exit};
use super::output::print;
use super::{escape, program};

const AFTER_HELP: &str = "\
A running broker with the same data directory follows every change: a revoked key opens no more sessions, \
and its open ones end within a second, a bridge's with all its visitors. A client that can get another key \
reconnects with that. Deleting the key file does not revoke keys in a running broker.

Examples:
  callboard token new reporter
  export CALLBOARD_API_KEY=\"$(callboard token new reporter)\"
  callboard token new edge-paris --bridge
  callboard token revoke 1f8a09c2

Exit codes:
  0  done
  1  failed, or there is no such key
  2  the command line or the configuration is wrong";

/// Make, list and revoke API keys.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Token {
    #[command(subcommand)]
    action: Action,

    #[command(flatten)]
    data_dir: DataDirArgs,

    /// The broker's configuration file, if that names the data directory
    #[arg(long, value_name = "FILE", env = "CALLBOARD_CONFIG", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print it, this once only: just its digest is kept
    New {
        /// The key's name; subscribers see it as the publisher of its messages
        name: String,

        /// Let the key open sessions for others and say what their addresses are: for `callboard bridge`
        #[arg(long)]
        bridge: bool,
    },
    /// List the keys: id, time of creation, right or -, name
    List,
    /// Revoke a key
    Revoke {
        /// The key's id, as `token list` shows it
        #[arg(value_parser = parse_id)]
        id: KeyId,
    },
}

/// Runs the command.
pub(super) fn run(command: Token) -> anyhow::Result<Exit> {
    let file = command.config.as_deref().map(Draft::read).transpose().map_err(exit::usage)?;
    let data_dir = command.data_dir.resolve(file.as_ref().and_then(Draft::data_dir))?;
    let keys = KeyStore::open(&data_dir)?;
    match command.action {
        Action::New { name, bridge } => new(&keys, &name, Rights { bridge }),
        Action::List => {
            let keys = keys.list()?;
            if keys.is_empty() {
                let program = program::invoked();
                note(&format!("there are no keys in {}; `{program} token new <NAME>` makes one", data_dir.display()))?;
            }
            print(&list(&keys))?;
            Ok(Exit::Done)
        }
        Action::Revoke { id } => {
            let name = keys.revoke(&id)?.with_context(|| {
                format!(
                    "there is no key {id} in {}; `{} token list` shows which there are",
                    data_dir.display(),
                    program::invoked()
                )
            })?;
            note(&format!(
                "{id} ({}) is revoked: it opens no more sessions, and its open ones end within a second",
                escape::escape(&name)
            ))
        }
    }
}

/// The key goes to standard output, alone, so that `$(…)` catches it; what to do with it goes to standard error.
fn new(keys: &KeyStore, name: &str, rights: Rights) -> anyhow::Result<Exit> {
    let key = keys.create_with(name, rights).map_err(|error| match error {
        KeyError::BadName => exit::usage(error),
        KeyError::Io { .. } | KeyError::Busy { .. } | KeyError::Malformed { .. } | _ => error.into(),
    })?;
    if let Err(error) = io::stdout().write_all(format!("{}\n", key.reveal()).as_bytes()) {
        // Nobody has seen it, and nobody can any more.
        keys.revoke(key.id())?;
        return Err(error).context("the key could not be printed, so it was not kept");
    }
    if io::stdout().is_terminal() {
        note(&how_to_use(key.id(), &program::invoked()))?;
    }
    Ok(Exit::Done)
}

fn how_to_use(id: &KeyId, program: &str) -> String {
    format!(
        "\nThis is the only time that the key is shown. Hand it over by the environment, not on a command line:\n\n  \
         export CALLBOARD_API_KEY=<the key>\n  {program} pub demo/hello \"hi\"\n\nTo revoke it: {program} token \
         revoke {id}"
    )
}

/// A line a key, in columns that scripts can cut; the name, which may have blanks, comes last.
fn list(keys: &[StoredKey]) -> String {
    let line = |key: &StoredKey| {
        let right = if key.rights.bridge { "bridge" } else { "-" };
        format!("{}  {}  {right:6}  {}\n", key.id, key.created, escape::escape(&key.name))
    };
    keys.iter().map(line).collect()
}

fn parse_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| "an id has eight hexadecimal digits, as `token list` shows them".to_owned())
}

fn note(text: &str) -> anyhow::Result<Exit> {
    // If standard error is closed the note has no reader.
    let _ = writeln!(io::stderr(), "{text}");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_a_key() {
        let home = tempfile::tempdir().expect("a directory");
        let keys = KeyStore::open(home.path()).expect("a store");
        assert_eq!(list(&keys.list().expect("a list")), "");
        let first = keys.create("night reporter").expect("a key");
        keys.create_with("b", Rights { bridge: true }).expect("a key");
        let text = list(&keys.list().expect("a list"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with(&format!("{}  20", first.id())) && lines[0].ends_with("Z  -       night reporter"),
            "{text}"
        );
        assert!(lines[1].ends_with("Z  bridge  b"), "{text}");
    }

    #[test]
    fn the_use_of_a_key_is_told_without_the_key() {
        let id = KeyId::parse("0123abcd").expect("an id");
        let text = how_to_use(&id, "callboard");
        assert!(text.contains("export CALLBOARD_API_KEY=") && text.contains("callboard token revoke 0123abcd"));
        assert!(!text.contains("cb_"));
    }
}
