//! The binary, to be run on a disk with room or on a full one; it fills no disk.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use super::binary;

/// What room a process finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// As much as there is.
    Roomy,
    /// None: no file takes a byte.
    Full,
}

/// The binary, to be given arguments. What the developer's shell says about some other broker is not for this one.
#[must_use]
pub fn command(disk: Disk) -> Command {
    let mut command = match disk {
        Disk::Roomy => Command::new(binary::path()),
        Disk::Full => {
            // The limit holds for files and not for pipes; without the trap it would be a signal, which no disk sends.
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]).arg(binary::path());
            shell
        }
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CALLBOARD_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Where the log goes that stands on this disk.
pub(super) fn log(disk: Disk) -> Stdio {
    let full = || OpenOptions::new().write(true).open("/dev/full").ok();
    match disk {
        Disk::Roomy => Stdio::piped(),
        // Systems without the device lose the log in silence.
        Disk::Full => full().map_or_else(Stdio::null, Stdio::from),
    }
}
