//! How one session ends: the words and the time that its peer is told. It ends nothing itself.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::Code;
use crate::frame::Goodbye;
use crate::integer::Millis;
use crate::refusal::Refusal;
use crate::sentence::capped;

/// How a session ends: what its peer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub code: Code,
    /// The sentence that goes with it.
    pub sentence: Cow<'static, str>,
    /// How long the peer should stay away.
    pub retry_after: Option<Millis>,
}

impl Ending {
    /// An ending with the registry's own sentence.
    #[must_use]
    pub fn plain(code: Code) -> Self {
        Self { code, sentence: code.sentence().into(), retry_after: None }
    }

    /// An ending with a more exact sentence.
    #[must_use]
    pub fn because(code: Code, reason: impl fmt::Display) -> Self {
        let sentence = capped(format!("{}: {reason}", code.sentence()));
        Self { code, sentence: sentence.into(), retry_after: None }
    }

    /// An ending in a refusal's words.
    #[must_use]
    pub fn refused(code: Code, refusal: Refusal) -> Self {
        Self { code, sentence: refusal.sentence, retry_after: refusal.retry_after }
    }

    /// How the sessions of `peers` peers end in a shutdown: each is told another time to come back at, so that they come
    /// spread over `spread`.
    pub fn of_shutdown(peers: usize, spread: Duration) -> impl Iterator<Item = Self> {
        let peers = u64::try_from(peers).unwrap_or(u64::MAX);
        let spread_ms = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        (0..peers).map(move |place| {
            let retry_after = Some(Millis::saturating(spread_ms.saturating_mul(place) / peers));
            Self { retry_after, ..Self::plain(Code::ShuttingDown) }
        })
    }

    /// The frame that tells it.
    #[must_use]
    pub fn goodbye(&self) -> Goodbye<'_> {
        Goodbye { code: self.code.number(), sentence: &self.sentence, retry_after: self.retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shutdown_spreads_the_return_of_all() {
        let spread = |peers| {
            let endings = Ending::of_shutdown(peers, Duration::from_secs(5));
            endings.map(|ending| (ending.code, ending.retry_after.map(|wait| wait.value()))).collect::<Vec<_>>()
        };
        assert_eq!(spread(0), []);
        assert_eq!(spread(1), [(Code::ShuttingDown, Some(0))]);
        assert_eq!(spread(4), [0, 1250, 2500, 3750].map(|wait| (Code::ShuttingDown, Some(wait))));
    }
}
