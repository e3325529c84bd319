//! The API key that a command shows: where it may be given. It is never shown again.

use std::path::PathBuf;

use clap::Args;

use super::exit;
use super::secret::Secret;

/// Who we are.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// An API key. Others on this machine can read command lines: better set the variable, or use --api-key-file
    #[arg(long, value_name = "KEY", env = "CALLBOARD_API_KEY", hide_env_values = true, help_heading = "Identity")]
    api_key: Option<Secret>,

    /// A file with an API key in it; it wins over --api-key and the variable
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    api_key_file: Option<PathBuf>,
}

impl Key {
    /// The API key; an empty variable is none.
    pub(super) fn read(&self) -> anyhow::Result<Option<Secret>> {
        let Some(path) = &self.api_key_file else { return Ok(self.api_key.as_ref().and_then(Secret::trimmed)) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            exit::usage(format!("the API key in {path} cannot be read: {error}; check the path and its permissions"))
        })?;
        Ok(Secret::from(text.as_str()).trimmed())
    }
}
