//! How a command ends: the exit codes that `--help` promises, and the errors that have a code of their own.

use std::process::ExitCode;

use crate::shutdown::Signal;

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what it was asked.
    Done,
    /// A signal ended it.
    Interrupted(Signal),
}

/// A failure that scripts can tell from others. Every other error ends with code 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The command line or the configuration cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The broker could not be reached in time.
    #[error("{0}")]
    Unreachable(String),
}

/// The code for how a command ended.
pub(super) fn code(ended: &anyhow::Result<Exit>) -> ExitCode {
    ExitCode::from(match ended {
        Ok(Exit::Done) => 0,
        Ok(Exit::Interrupted(signal)) => signal.exit_code(),
        Err(error) => match error.downcast_ref::<Failed>() {
            Some(Failed::Usage(_)) => 2,
            Some(Failed::Unreachable(_)) => 3,
            None => 1,
        },
    })
}

/// An error that ends with code 2.
pub(super) fn usage(error: impl std::fmt::Display) -> anyhow::Error {
    // With its causes, where it has any.
    Failed::Usage(format!("{error:#}")).into()
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_end_has_the_code_that_help_promises() {
        let codes = [
            (Ok(Exit::Done), 0),
            (Err(anyhow::anyhow!("refused")), 1),
            (Err(usage("wrong")), 2),
            (Err(Failed::Unreachable("nobody".to_owned()).into()), 3),
            (Ok(Exit::Interrupted(Signal::Interrupt)), 130),
            (Ok(Exit::Interrupted(Signal::Terminate)), 143),
        ];
        for (ended, wanted) in codes {
            assert_eq!(code(&ended), ExitCode::from(wanted), "{ended:?}");
        }
    }

    #[test]
    fn context_around_a_failure_keeps_its_code() {
        let ended = Err(usage("wrong")).context("while starting");
        assert_eq!(code(&ended), ExitCode::from(2));
    }
}
