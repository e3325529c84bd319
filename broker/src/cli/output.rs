//! Standard output that never blocks the runtime and knows whether colours are wanted; one writer, whole lines.

use std::io::{self, ErrorKind, IsTerminal, Write as _};

use anyhow::Context;
use tokio::io::{AsyncWriteExt, Stdout};

/// Standard output.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Stdout,
    /// Whether people read it.
    pub(super) terminal: bool,
    colour: bool,
}

impl Output {
    pub(super) fn open() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        Self { stdout: tokio::io::stdout(), terminal, colour }
    }

    /// Writes the program's own text, whose colours are taken out if they are not wanted.
    pub(super) async fn text(&mut self, text: &str) -> io::Result<()> {
        if self.colour {
            self.raw(text.as_bytes()).await
        } else {
            self.raw(anstream::adapter::strip_str(text).to_string().as_bytes()).await
        }
    }

    /// Writes these bytes as they are.
    pub(super) async fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes).await?;
        self.stdout.flush().await
    }
}

/// Writes the whole of a command's text, whose colours are taken out if they are not wanted. That nobody reads it is fine.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if nobody_reads(&error) => Ok(()),
        written => written.context("standard output cannot be written"),
    }
}

/// Whether the error says that nobody reads any more, as after `| head`; then there is nothing left to do.
pub(super) fn nobody_reads(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
