//! Channel names, parsed once at the edge; past it every name is known to be good.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits::CHANNEL_NAME_BYTES_MAX;

/// A literal channel name: 1–255 bytes of UTF-8 in segments divided by `/` (PROTOCOL.md, "Channel names").
///
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// Why a string is no channel name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has no byte at all.
    #[error("a channel name has at least one character")]
    Empty,
    /// The name is longer than [`CHANNEL_NAME_BYTES_MAX`].
    #[error("a channel name has at most {CHANNEL_NAME_BYTES_MAX} bytes of UTF-8, this one has {bytes}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A control character (Unicode category Cc) stands in the name.
    #[error("a channel name has no control characters, this one has U+{code:04X}", code = u32::from(*character))]
    Control {
        /// The first one.
        character: char,
    },
    /// Two slashes meet, or the name begins or ends with one.
    #[error("a channel name has no empty segment: no `//`, and no `/` at its beginning or end")]
    EmptySegment,
    /// A segment is `*` or `**`, which only patterns may have.
    #[error("`*` and `**` are reserved for patterns and name no channel")]
    Pattern,
}

impl ChannelName {
    /// Parses a name.
    ///
    /// # Errors
    ///
    /// The first rule of PROTOCOL.md, "Channel names", that `name` breaks.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        check(name)?;
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its segments, in order; never empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > CHANNEL_NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    if let Some(character) = name.chars().find(|c| c.is_control()) {
        return Err(NameError::Control { character });
    }
    for segment in name.split('/') {
        match segment {
            "" => return Err(NameError::EmptySegment),
            "*" | "**" => return Err(NameError::Pattern),
            _ => {}
        }
    }
    Ok(())
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ChannelName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_legal_shape_are_taken() {
        let longest = "a".repeat(CHANNEL_NAME_BYTES_MAX);
        for name in ["a", "demo/hello", "visitor-management/arrival/42", "a*b", "***", "ü/😀", " ", &longest] {
            assert_eq!(ChannelName::parse(name).map(|n| n.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let long = "a".repeat(CHANNEL_NAME_BYTES_MAX + 1);
        for (name, error) in [
            ("", NameError::Empty),
            (long.as_str(), NameError::TooLong { bytes: 256 }),
            ("a\u{0}b", NameError::Control { character: '\u{0}' }),
            ("a\u{85}", NameError::Control { character: '\u{85}' }),
            ("/a", NameError::EmptySegment),
            ("a/", NameError::EmptySegment),
            ("a//b", NameError::EmptySegment),
            ("*", NameError::Pattern),
            ("a/**", NameError::Pattern),
        ] {
            assert_eq!(ChannelName::parse(name), Err(error), "{name:?}");
        }
    }
}
