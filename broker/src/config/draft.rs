//! A configuration in the making: defaults, over them a file, over that variables and flags, with where each value is from.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Config;
use super::datum::Raw;
use super::setting::Setting;
use super::{data_dir, file};

/// Where a value is from. Each wins over those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    #[default]
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// A variable of this name.
    Variable(String),
    /// A flag of this name.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// Something that a configuration cannot mean. The operator is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {sentence}")]
pub struct Mistake {
    /// Where it stands: a file with line and column, a variable or a flag.
    pub place: String,
    /// What it is, and what is allowed.
    pub sentence: String,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has mistakes, all of which are listed.
    #[error("{}", lines(.0))]
    Mistaken(Vec<Mistake>),
    /// Nobody said where to keep data, and there is no home directory.
    #[error("there is no home directory to keep data in; give a directory with --data-dir")]
    NoDataDir,
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}

/// A configuration in the making.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(super) config: Config,
    sources: BTreeMap<&'static str, Source>,
    /// Where each rule of the history is from.
    pub(super) rules: Vec<Source>,
}

impl Default for Draft {
    fn default() -> Self {
        Self { config: Config::new(""), sources: BTreeMap::new(), rules: Vec::new() }
    }
}

impl Draft {
    /// The defaults and over them what the file at `path` says. What it names by a path is relative to its directory.
    ///
    /// # Errors
    ///
    /// [`LoadError::Unreadable`], or [`LoadError::Mistaken`] with every mistake of the file.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// The defaults and over them what `text` says, the content of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`LoadError::Mistaken`] with every mistake of the file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LoadError> {
        let mut draft = Self::default();
        let mistakes = file::parse(path, text, &mut draft);
        if mistakes.is_empty() { Ok(draft) } else { Err(LoadError::Mistaken(mistakes)) }
    }

    /// Writes what a variable or a flag says over what was said before. An empty variable says nothing.
    ///
    /// # Errors
    ///
    /// If that is no value for this setting.
    pub fn set(&mut self, setting: &'static Setting, text: &OsStr, source: Source) -> Result<(), Mistake> {
        if text.is_empty() && matches!(source, Source::Variable(_)) {
            return Ok(());
        }
        let place = source.to_string();
        self.write(setting, &Raw::Text(text), source).map_err(|sentence| Mistake { place, sentence })
    }

    /// Writes a value, or says what is allowed.
    pub(super) fn write(&mut self, setting: &'static Setting, raw: &Raw<'_>, source: Source) -> Result<(), String> {
        (setting.set)(&mut self.config, raw)
            .ok_or_else(|| format!("{} is {raw}; expected {}", setting.key, setting.kind.allowed()))?;
        self.sources.insert(setting.key, source);
        Ok(())
    }

    /// Where the value of a setting is from.
    #[must_use]
    pub fn source_of(&self, setting: &Setting) -> Source {
        self.sources.get(setting.key).cloned().unwrap_or_default()
    }

    /// Where data is to be kept, if somebody said so.
    #[must_use]
    pub fn data_dir(&self) -> Option<&Path> {
        Some(self.config.data_dir.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// What was said last, whether or not a broker can run with it.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Puts the platform's data directory in, unless another one was named.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoDataDir`] if there is none.
    pub fn complete(&mut self) -> Result<(), LoadError> {
        if self.data_dir().is_none() {
            self.config.data_dir = data_dir::platform_default().ok_or(LoadError::NoDataDir)?;
        }
        Ok(())
    }
}
