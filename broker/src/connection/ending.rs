//! How a session ends: what its peer is told. It ends nothing itself.

use std::borrow::Cow;

use callboard_protocol::Millis;
use callboard_protocol::close::Code;

use crate::sentence::capped;

/// Why and how a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The code that the peer is told.
    pub(crate) code: Code,
    /// The sentence that goes with it.
    pub(crate) sentence: Cow<'static, str>,
    /// How long the peer should stay away.
    pub(crate) retry_after: Option<Millis>,
}

impl Ending {
    /// An ending with the registry's own sentence.
    pub(crate) fn plain(code: Code) -> Self {
        Self { code, sentence: code.sentence().into(), retry_after: None }
    }

    /// An ending with a more exact sentence.
    pub(crate) fn because(code: Code, reason: impl std::fmt::Display) -> Self {
        let sentence = capped(format!("{}: {reason}", code.sentence()));
        Self { code, sentence: sentence.into(), retry_after: None }
    }
}
