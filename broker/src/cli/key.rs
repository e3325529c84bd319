//! The API key that a command shows: where it may be given. It is never shown again.

use std::io;
use std::path::{Path, PathBuf};

use callboard_client::{Builder, Credential};
use clap::Args;

use super::exit;
use super::secret::Secret;

/// Who we are.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// An API key. Other users of this machine can read command lines: rather set the variable or use --api-key-file
    #[arg(long, value_name = "KEY", env = "CALLBOARD_API_KEY", hide_env_values = true, help_heading = "Identity")]
    api_key: Option<Secret>,

    /// A file with an API key; it overrides --api-key and the variable
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    api_key_file: Option<PathBuf>,
}

impl Key {
    /// The API key; an empty variable is none.
    pub(super) fn read(&self) -> anyhow::Result<Option<Secret>> {
        let Some(path) = &self.api_key_file else { return Ok(self.api_key.as_ref().and_then(Secret::trimmed)) };
        let text = std::fs::read_to_string(path).map_err(|error| exit::usage(unreadable(path, &error)))?;
        Ok(Secret::from(text.as_str()).trimmed())
    }

    /// Shows `key`, as it was read, in every session; one in a file is read again for each, so that the file can be
    /// changed while the command runs.
    pub(super) fn shown_by(&self, builder: Builder, key: Secret) -> Builder {
        let Some(path) = self.api_key_file.clone() else { return builder.api_key(key.reveal()) };
        builder.token_provider(move || {
            let path = path.clone();
            async move {
                let text = tokio::fs::read_to_string(&path).await.map_err(|error| unreadable(&path, &error))?;
                let key = Secret::from(text.as_str()).trimmed();
                let key = key.ok_or_else(|| format!("there is no API key in {}", path.display()))?;
                Ok(Credential::api_key(key.reveal()))
            }
        })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    format!("the API key in {path} cannot be read: {error}; check the path and its permissions")
}
