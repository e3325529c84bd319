//! The close-code registry: why a session ended, and whether to come back. One registry for QUIC, WebSocket and JavaScript.

mod ending;

pub use ending::Ending;

/// What a client does after a session ended; the range of the code tells (PROTOCOL.md, "Close codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Return {
    /// 4000–4099: it ended because it was done. Do not come back unasked.
    Unasked,
    /// 4100–4199: come back now, give or take some jitter, and recover.
    AtOnce,
    /// 4200–4299: come back after the client's own growing pause.
    Later,
    /// 4300–4399: come back later with a new credential; without another one, do not.
    WithNewCredential,
    /// 4400–4499: do not come back: the same would happen again.
    Never,
}

impl Return {
    /// What the range of `code` says. A code outside every range, or none at all (a connection that just broke),
    /// reads as [`Return::Later`].
    #[must_use]
    pub fn of(code: u16) -> Self {
        match code {
            4000..=4099 => Self::Unasked,
            4100..=4199 => Self::AtOnce,
            4300..=4399 => Self::WithNewCredential,
            4400..=4499 => Self::Never,
            _ => Self::Later,
        }
    }
}

macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal;)*) => {
        /// Why a session ended. The numbers are QUIC application codes and WebSocket close codes alike.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its number, 4000–4499.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $code,)* }
            }

            /// Its name as documents write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The sentence sent when there is nothing more exact to say.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }

            /// The code of this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

registry! {
    /// The peer said goodbye of its own accord.
    Finished = 4000, "the peer ended the session";
    /// An operator or a rule ended the session.
    Kicked = 4001, "the broker ended this session; connect again only when asked to";

    /// The broker shuts down or restarts; the frame before says when to come back.
    ShuttingDown = 4100, "the broker is shutting down; come back and recover";
    /// The reader was slower than what was sent to it.
    TooSlow = 4101, "this session reads more slowly than its channels publish; come back and recover";

    /// The broker failed; the fault is its own.
    Internal = 4200, "something broke inside the broker; the session had to end";
    /// The broker has no room for this session now.
    Overloaded = 4201, "the broker has no room for this session now; come back later";
    /// The handshake or the first frame took too long.
    HandshakeTimeout = 4202, "the session was not opened in time";
    /// Nothing was heard from the peer for too long.
    Idle = 4203, "nothing was heard for too long";
    /// The peer kept sending faster than it may.
    RateExceeded = 4204, "this session sent faster than it may, after it had been told so";

    /// The credential shown in `Hello` was refused, or revoked after it was taken.
    BadCredential = 4300, "the credential was refused; ask for another one";
    /// The credential ran out.
    CredentialExpired = 4301, "the credential has expired; ask for another one";

    /// Bytes that are no frame.
    Malformed = 4400, "the peer sent bytes that are no frame";
    /// A frame that may not stand where it stood.
    OutOfOrder = 4401, "the peer sent a frame that may not follow the one before";
    /// A frame longer than the limit.
    FrameTooLong = 4402, "the peer sent a frame that is longer than the limit";
    /// The peer may not use this door.
    Forbidden = 4403, "this peer may not connect here";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_name_themselves() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
            assert!((4000..4500).contains(&code.number()));
        }
        assert_eq!(Code::from_number(4999), None);
    }

    #[test]
    fn the_range_tells_whether_to_come_back() {
        assert_eq!(Return::of(Code::Finished.number()), Return::Unasked);
        assert_eq!(Return::of(Code::TooSlow.number()), Return::AtOnce);
        assert_eq!(Return::of(Code::Internal.number()), Return::Later);
        assert_eq!(Return::of(Code::BadCredential.number()), Return::WithNewCredential);
        assert_eq!(Return::of(Code::Malformed.number()), Return::Never);
        assert_eq!(Return::of(0), Return::Later, "a connection that broke without a word");
        assert_eq!(Return::of(4199), Return::AtOnce, "a code of a later version is read by its range");
    }
}
