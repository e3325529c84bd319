//! A text that no log, error or debugging output can show by accident.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A secret, as it was given.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    /// The secret without the blanks around it; none if it is nothing else.
    pub(super) fn trimmed(&self) -> Option<Self> {
        Some(self.0.trim()).filter(|text| !text.is_empty()).map(Self::from)
    }

    /// The secret itself, for the one who must have it.
    pub(super) fn reveal(self) -> String {
        self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_nothing_of_itself() {
        assert_eq!(format!("{:?} {:#?}", Secret::from("hush"), Some(Secret::from("hush"))).matches("hush").count(), 0);
    }

    #[test]
    fn blanks_are_no_part_of_a_secret() {
        assert_eq!(Secret::from(" cb_key\n").trimmed(), Some(Secret::from("cb_key")));
        assert_eq!(Secret::from(" \n").trimmed(), None);
    }
}
