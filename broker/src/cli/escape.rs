//! Text from others on a terminal: nothing in it may move the cursor, change a colour or pass for another line.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that a terminal acts upon written out, as `\n` or `\u{1b}`.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_on_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts_on_a_terminal(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Escapes a sentence that may have several lines: line feeds stay.
pub(super) fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// Escapes a JSON text, whose meaning stays: what is no ASCII stands in strings alone, and may be written out there.
pub(super) fn escape_json(json: &str) -> Cow<'_, str> {
    // Of the ASCII controls JSON allows blanks between its parts, and this one in strings.
    let acts = |character: char| character == '\u{7f}' || !character.is_ascii() && acts_on_a_terminal(character);
    if !json.contains(acts) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if acts(character) {
            // Writing to a string does not fail; each of these has four digits at most.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Controls (Cc), line and paragraph separators, and what changes the direction of writing, so that text could be shown
/// in another order than it has.
fn acts_on_a_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_acts_upon_is_written_out() {
        assert_eq!(escape("a\u{1b}[31mred\u{7}"), "a\\u{1b}[31mred\\u{7}");
        assert_eq!(escape("one\r\ntwo\tthree"), "one\\r\\ntwo\\tthree");
        assert_eq!(escape("\u{9b}31m \u{202e}txt.exe"), "\\u{9b}31m \\u{202e}txt.exe");
        assert_eq!(escape_lines("one\ntwo\r"), "one\ntwo\\r");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "hello", "Grüße, 世界 😀", "C:\\new"] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in "\\PC*|.*|[\\x00-\\x{9f}]*") {
            prop_assert!(!escape(&text).contains(acts_on_a_terminal));
        }
    }
}
