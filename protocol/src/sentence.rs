//! Sentences for peers: never longer than the wire allows, whatever a peer gave to be repeated in them.

use crate::limits::SENTENCE_BYTES_MAX;

/// The sentence, cut at a character if it is too long.
#[must_use]
pub fn capped(mut sentence: String) -> String {
    let mut end = sentence.len().min(SENTENCE_BYTES_MAX);
    while !sentence.is_char_boundary(end) {
        end -= 1;
    }
    sentence.truncate(end);
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sentence_is_cut_at_a_character() {
        let sentence = capped("ü".repeat(SENTENCE_BYTES_MAX));
        assert_eq!(sentence.len(), SENTENCE_BYTES_MAX);
        let odd = capped(format!("a{}", "ü".repeat(SENTENCE_BYTES_MAX)));
        assert_eq!(odd.len(), SENTENCE_BYTES_MAX - 1);
    }
}
