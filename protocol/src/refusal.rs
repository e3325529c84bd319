//! A request that is refused: a class for programs and a sentence for people; never why a whole session ends.

use std::borrow::Cow;

use crate::Millis;
use crate::error::Class;
use crate::sentence::capped;

/// Why a request was refused, and what to do next. The peer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// What programs match.
    pub class: Class,
    /// What people read: what is wrong, and what to do next. It never has a secret in it.
    pub sentence: Cow<'static, str>,
    /// How long to wait before the same request may go well, where that is known.
    pub retry_after: Option<Millis>,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(class: Class, sentence: impl Into<Cow<'static, str>>) -> Self {
        let sentence = match sentence.into() {
            Cow::Borrowed(sentence) => Cow::Borrowed(sentence),
            Cow::Owned(sentence) => Cow::Owned(capped(sentence)),
        };
        Self { class, sentence, retry_after: None }
    }

    /// A refusal of what comes too fast: `who_does` says who does what. The sentence says how long to wait, and so does the
    /// data.
    #[must_use]
    pub fn too_fast(who_does: &str, wait: Millis) -> Self {
        let sentence = format!("{who_does} faster than it may; wait {wait} ms");
        Self { retry_after: Some(wait), ..Self::new(Class::TooManyRequests, sentence) }
    }
}
