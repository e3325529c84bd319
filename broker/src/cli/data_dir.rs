//! Where a command finds the data directory: the flag, then the configuration file, then the platform's place.

use std::path::{Path, PathBuf};

use clap::Args;

use callboard::config;

use super::exit;

/// The flag for the data directory, the same for every command.
#[derive(Debug, Clone, Args)]
pub(super) struct DataDirArgs {
    /// Directory for API keys and the development certificate [default: the platform's directory for user data]
    #[arg(long, value_name = "DIR", env = "CALLBOARD_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

impl DataDirArgs {
    /// The data directory, where a configuration file may have named one.
    pub(super) fn resolve(&self, from_file: Option<&Path>) -> anyhow::Result<PathBuf> {
        let chosen = self.data_dir.clone().or_else(|| from_file.map(Path::to_owned));
        chosen
            .or_else(config::platform_data_dir)
            .ok_or_else(|| exit::usage("there is no home directory to keep data in; give a directory with --data-dir"))
    }
}
