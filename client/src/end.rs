//! How a session ended, and what that means for whether to come back. It ends nothing itself.

use callboard_protocol::codec::DecodeError;
use callboard_protocol::deframe::DeframeError;
use callboard_protocol::frame::{Goodbye, Suspended};
use callboard_protocol::session::Violation;
use callboard_protocol::{Millis, close};
use quinn::{ConnectionError, VarInt, WriteError};

use crate::state::Reason;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The broker ended it, with a frame or with a code alone.
    Goodbye { code: u16, sentence: String, retry_after: Option<Millis> },
    /// It broke.
    Lost(String),
    /// The broker broke a rule; this is what it is told.
    Fault { code: close::Code, detail: String },
    /// This program asked for it.
    Asked,
}

impl End {
    /// The broker sent a frame that may not stand where it stood.
    pub(crate) fn out_of_order(detail: impl ToString) -> Self {
        Self::Fault { code: close::Code::OutOfOrder, detail: detail.to_string() }
    }

    fn malformed(detail: impl ToString) -> Self {
        Self::Fault { code: close::Code::Malformed, detail: detail.to_string() }
    }

    /// A code that came without a `Goodbye`.
    pub(crate) fn of_code(code: VarInt, sentence: &str) -> Self {
        match u16::try_from(code.into_inner()) {
            Ok(code) if (4000..5000).contains(&code) => {
                let known = close::Code::from_number(code).map_or("no reason was given", close::Code::sentence);
                let sentence = if sentence.is_empty() { known } else { sentence };
                Self::Goodbye { code, sentence: sentence.to_owned(), retry_after: None }
            }
            Ok(_) | Err(_) => Self::Lost(format!("the broker closed with code {code}")),
        }
    }

    pub(crate) fn goodbye(frame: &Goodbye<'_>) -> Self {
        Self::Goodbye { code: frame.code, sentence: frame.sentence.to_owned(), retry_after: frame.retry_after }
    }

    /// What is said to browsers alone: there is a bridge where a broker should be, and what it stands for is away.
    pub(crate) fn suspended(frame: &Suspended<'_>) -> Self {
        Self::Lost(format!("the broker behind this bridge is away: {}", frame.sentence))
    }

    /// This end as the client's state shows it.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Goodbye { code, sentence, .. } => Reason::Ended { code: *code, sentence: sentence.as_str().into() },
            Self::Lost(why) => Reason::Lost(why.as_str().into()),
            Self::Fault { detail, .. } => Reason::BrokerAtFault(detail.as_str().into()),
            Self::Asked => Reason::Asked,
        }
    }

    /// What the broker is told when the connection is closed behind it.
    pub(crate) fn parting_code(&self) -> close::Code {
        match self {
            Self::Fault { code, .. } => *code,
            Self::Goodbye { .. } | Self::Lost(_) | Self::Asked => close::Code::Finished,
        }
    }

    /// What coming back depends on.
    pub(crate) fn advice(&self) -> close::Return {
        match self {
            Self::Goodbye { code, .. } => close::Return::of(*code),
            // A broker that breaks the protocol may be replaced by one that does not: come back, and never fast.
            Self::Lost(_) | Self::Fault { .. } => close::Return::Later,
            Self::Asked => close::Return::Unasked,
        }
    }
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        if let ConnectionError::ApplicationClosed(close) = &error {
            return Self::of_code(close.error_code, &String::from_utf8_lossy(&close.reason));
        }
        Self::Lost(error.to_string())
    }
}

impl From<DeframeError> for End {
    fn from(error: DeframeError) -> Self {
        // "One of more than 3 bytes and one above the limit close with `FrameTooLong`" (PROTOCOL.md, "Stream").
        if matches!(error, DeframeError::TooLong { .. } | DeframeError::LengthTooLong) {
            return Self::Fault { code: close::Code::FrameTooLong, detail: error.to_string() };
        }
        Self::malformed(error)
    }
}

impl From<DecodeError> for End {
    fn from(error: DecodeError) -> Self {
        Self::malformed(error)
    }
}

impl From<Violation> for End {
    fn from(violation: Violation) -> Self {
        Self::out_of_order(violation)
    }
}

/// What a failed write says about the session's end.
pub(crate) fn end_of_write(error: WriteError) -> End {
    match error {
        WriteError::Stopped(code) => End::of_code(code, ""),
        WriteError::ConnectionLost(error) => error.into(),
        WriteError::ClosedStream | WriteError::ZeroRttRejected => End::Lost(error.to_string()),
    }
}
