//! A pattern of channel names: what a rule of the configuration is about; never a name that a client may say.

use callboard_protocol::ChannelName;

/// A pattern of channel names: literal segments, `*` for any one segment, `**` at the end for one or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// A sentence, when a segment is empty or `**` stands before the end.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        let segments: Vec<String> = pattern.split('/').map(str::to_owned).collect();
        if segments.iter().any(String::is_empty) {
            return Err(format!("the pattern `{pattern}` has an empty segment"));
        }
        if segments.iter().rev().skip(1).any(|segment| segment == "**") {
            return Err(format!("the pattern `{pattern}` has `**` before its end"));
        }
        Ok(Self(segments))
    }

    /// Whether the pattern names this channel.
    #[must_use]
    pub fn matches(&self, name: &ChannelName) -> bool {
        let mut segments = name.segments();
        for wanted in &self.0 {
            match (wanted.as_str(), segments.next()) {
                (_, None) => return false,
                ("**", Some(_)) => return true,
                ("*", Some(_)) => {}
                (literal, Some(segment)) if literal == segment => {}
                (_, Some(_)) => return false,
            }
        }
        segments.next().is_none()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(&ChannelName::parse(name).expect("a name"))
    }

    #[test]
    fn one_star_is_one_segment_and_two_are_one_or_more() {
        assert!(matches("chat/room", "chat/room"));
        assert!(!matches("chat/room", "chat"));
        assert!(!matches("chat", "chat/room"));
        assert!(matches("chat/*", "chat/room"));
        assert!(!matches("chat/*", "chat/room/7"));
        assert!(matches("chat/*/typing", "chat/7/typing"));
        assert!(matches("chat/**", "chat/room/7"));
        assert!(!matches("chat/**", "chat"));
        assert!(matches("**", "anything/at/all"));
    }

    #[test]
    fn a_star_inside_a_segment_is_itself() {
        assert!(matches("a*b", "a*b"));
        assert!(!matches("a*b", "axb"));
    }

    #[test]
    fn what_no_name_can_match_is_refused() {
        for pattern in ["", "a//b", "/a", "**/a"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
