//! Logs on standard error. What is logged never has a key or a payload in it; nothing here could put one there.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use callboard::config::LogFormat;
use tracing_subscriber::EnvFilter;

use super::exit;

/// What a broker logs unless told otherwise: its own doings, and only the troubles of what it is built on.
pub(super) const SERVE: &str = "warn,callboard=info";

/// What the other commands log: they tell themselves what concerns the user.
pub(super) const QUIET: &str = "error";

/// Whether machines read the log. Set once, when logging begins.
static JSON: OnceLock<bool> = OnceLock::new();

/// Begins to log.
///
/// # Errors
///
/// If `asked` is not a level and not a list of filters.
pub(super) fn start(asked: Option<&str>, format: LogFormat, default: &str) -> anyhow::Result<()> {
    let filter = filter(asked, default)?;
    let json = format == LogFormat::Json;
    // A second start, as in tests, leaves the first in place.
    let _ = JSON.set(json);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A line that a full disk does not take is lost. Told on standard error as well, it would end whoever logged it.
    let log = log.log_internal_errors(false);
    let _ = if json { log.json().flatten_event(true).try_init() } else { log.with_ansi(coloured()).try_init() };
    Ok(())
}

/// The filter that `asked` means.
///
/// # Errors
///
/// If it means none.
pub(super) fn filter(asked: Option<&str>, default: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::builder().parse(directives(asked, default)).map_err(|error| {
        exit::usage(format!(
            "log is a level (error, warn, info, debug, trace) or filters such as `callboard=debug`: {error}"
        ))
    })
}

/// Tells whoever watches the program something that it would be told at any level of logging.
pub(super) fn tell(sentence: &str) {
    if is_json() {
        tracing::info!("{sentence}");
    } else {
        // If standard error is closed the sentence has no reader.
        let _ = writeln!(anstream::stderr(), "{sentence}");
    }
}

/// Whether machines read standard error, which then has nothing but JSON.
pub(super) fn is_json() -> bool {
    JSON.get().copied().unwrap_or_default()
}

fn coloured() -> bool {
    let stderr = std::io::stderr();
    stderr.is_terminal() && anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never
}

/// A plain level is meant for Callboard; what it is built on stays as quiet as by default, below debugging.
fn directives(asked: Option<&str>, default: &str) -> String {
    match asked {
        None => default.to_owned(),
        Some(level @ ("info" | "debug")) => format!("warn,callboard={level},callboard_client={level}"),
        Some(other) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_level_is_meant_for_callboard() {
        assert_eq!(directives(None, SERVE), SERVE);
        assert_eq!(directives(Some("debug"), SERVE), "warn,callboard=debug,callboard_client=debug");
        assert_eq!(directives(Some("trace"), SERVE), "trace");
        assert_eq!(directives(Some("quinn=trace"), SERVE), "quinn=trace");
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        let error = filter(Some("callboard=loud"), QUIET).expect_err("an error");
        assert_eq!(format!("{:?}", exit::code(&Err(error))), format!("{:?}", std::process::ExitCode::from(2)));
    }
}
