//! `callboard check`: says whether a configuration can work, what it is, and what memory it allows. It starts nothing.

use std::fmt::Write as _;

use callboard::config::{self, MemoryBound, Term};
use clap::Args;

use super::exit::{self, Exit};
use super::output::print;
use super::settings::Settings;
use super::{bridge, logging};

const AFTER_HELP: &str = "\
It accepts the flags, variables and file of `callboard serve`. With --bridge it checks them for `callboard bridge`; leave out --upstream, --api-key, --api-key-file, --pin, --ca and --insecure. Files that the configuration names are not opened.

Examples:
  callboard check --config callboard.toml
  callboard check --config callboard.toml --print
  callboard check --config edge.toml --bridge
  callboard check --example > callboard.toml

Exit codes:
  0    a broker, or a bridge, can start with this configuration
  1    failed
  2    the command line or the configuration is wrong";

/// Check a configuration without starting anything.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Check {
    /// Print the configuration in effect as TOML, with the source of each value
    #[arg(long, conflicts_with = "example")]
    print: bool,

    /// Print an example configuration file: every setting with its default, commented out
    #[arg(long)]
    example: bool,

    /// Check it for `callboard bridge`, which uses only the settings of the browsers' door
    #[arg(long, conflicts_with = "example")]
    bridge: bool,

    #[command(flatten)]
    settings: Settings,
}

/// Runs the command.
pub(super) fn run(command: Check) -> anyhow::Result<Exit> {
    if command.example {
        print(config::EXAMPLE)?;
        return Ok(Exit::Done);
    }
    let draft = command.settings.draft()?;
    let config = draft.config();
    if command.print {
        // Before it is judged: whoever is refused wants to see it all the more.
        print(&draft.to_toml())?;
    }
    logging::filter(config.log.as_deref(), logging::SERVE)?;
    let bound = if command.bridge {
        bridge::judge(config)?.bridge_memory_bound()
    } else {
        config.check().map_err(exit::usage)?;
        config.memory_bound()
    };
    let memory = memory(&bound);
    if command.print {
        print(&format!("\n{}", commented(&memory)))?;
    } else {
        print(&format!("The configuration is valid.\n\n{memory}"))?;
    }
    Ok(Exit::Done)
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect()
}

/// The bound as a table.
fn memory(bound: &MemoryBound) -> String {
    let mut text = "Upper bound on memory, if all allowed peers connect and fill their limits:\n\n".to_owned();
    let mut row = |name: &str, product: &str, bytes: u64, settings: &str| {
        let line = format!("  {name:<22}{product:>24}  {:>11}  {settings}", readable(bytes));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    };
    for term in &bound.terms {
        row(term.name, &product(term), term.bytes(), term.settings);
    }
    row("in all", "", bound.bytes(), "");
    text.push_str("\nNot in the sum, because bounded in other ways:\n\n");
    for sentence in &bound.beside {
        let _ = writeln!(text, "  {sentence}");
    }
    text
}

fn product(term: &Term) -> String {
    if term.count == 1 { String::new() } else { format!("{} x {}", term.count, readable(term.each_bytes)) }
}

/// A number of bytes as people say it.
fn readable(bytes: u64) -> String {
    const UNITS: &[&str] = &["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while tenths >= 10 * 1024
        && let Some(larger) = units.next()
    {
        tenths /= 1024;
        unit = Some(larger);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_as_people_say_them() {
        for (bytes, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (512 << 20, "512.0 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(readable(bytes), said);
        }
    }

    #[test]
    fn the_table_has_every_term_and_their_sum() {
        let config = config::Config::new("data");
        for bound in [config.memory_bound(), config.bridge_memory_bound()] {
            let table = memory(&bound);
            for term in &bound.terms {
                assert!(table.contains(term.name), "{table}");
            }
            assert!(table.contains(&readable(bound.bytes())), "{table}");
            assert!(commented(&table).lines().all(|line| line.starts_with('#')));
        }
    }
}
