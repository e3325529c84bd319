//! The program `callboard`: hands its command line to the CLI and ends with the code that comes back; no logic of its own.

mod cli;
mod shutdown;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
