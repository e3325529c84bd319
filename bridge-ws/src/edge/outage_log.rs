//! What the log said last of the broker, so that it tells of an outage once. It writes nothing itself.

use std::mem::{Discriminant, discriminant};

use callboard_client::Reason;
use callboard_protocol::close::{Code, Return};

/// What the log said last of the broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum LastLogged {
    #[default]
    Nothing,
    Up,
    /// It is away, as a broker is that restarts.
    Away,
    /// It is there and somebody has to mend something: the kind of the reason, and the code if the broker gave one.
    Refused(Discriminant<Reason>, Option<u16>),
}

impl LastLogged {
    /// What the log says of an end for this reason.
    pub(super) fn down(why: &Reason) -> Self {
        match why {
            Reason::Lost(_) | Reason::Unreachable(_) => Self::Away,
            Reason::Ended { code, .. } if *code == Code::ShuttingDown.number() => Self::Away,
            Reason::Ended { code, .. } => Self::Refused(discriminant(why), Some(*code)),
            Reason::Asked
            | Reason::Stopped
            | Reason::Token(_)
            | Reason::Untrusted(_)
            | Reason::BrokerAtFault(_)
            | _ => Self::Refused(discriminant(why), None),
        }
    }

    /// Whether that is news. An outage is one, whatever was refused in it.
    pub(super) fn change(&mut self, to: Self) -> bool {
        let is_old = *self == to || matches!((&*self, &to), (Self::Refused(..), Self::Away));
        if !is_old {
            *self = to;
        }
        !is_old
    }
}

/// Whether no waiting mends it: somebody has to give this bridge another key, or another trust.
pub(super) fn wants_operator(why: &Reason) -> bool {
    match why {
        Reason::Ended { code, .. } => {
            *code == Code::Forbidden.number() || matches!(Return::of(*code), Return::WithNewCredential | Return::Never)
        }
        Reason::Untrusted(_) | Reason::Token(_) => true,
        Reason::Asked | Reason::Stopped | Reason::Lost(_) | Reason::Unreachable(_) | Reason::BrokerAtFault(_) | _ => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_of_an_outage_once_and_of_each_refusal() {
        let ended = |code: Code| LastLogged::down(&Reason::Ended { code: code.number(), sentence: "".into() });
        let lost = || LastLogged::down(&Reason::Lost("timed out".into()));
        let mut logged = LastLogged::default();
        assert!(logged.change(lost()));
        assert!(!logged.change(ended(Code::ShuttingDown)), "away all the same");
        assert!(logged.change(ended(Code::BadCredential)), "it is back, and refuses");
        assert!(!logged.change(ended(Code::BadCredential)));
        assert!(!logged.change(lost()), "another connection is as it was");
        assert!(logged.change(ended(Code::Forbidden)), "for another reason");
        assert!(logged.change(LastLogged::down(&Reason::Untrusted("".into()))));
        assert!(logged.change(LastLogged::Up));
        assert!(!logged.change(LastLogged::Up));
        assert!(logged.change(lost()));
    }
    #[test]
    fn a_key_that_is_refused_wants_an_operator_and_a_broker_that_restarts_does_not() {
        let ended = |code: Code| Reason::Ended { code: code.number(), sentence: "".into() };
        for why in [ended(Code::BadCredential), ended(Code::Forbidden), Reason::Untrusted("".into())] {
            assert!(wants_operator(&why), "{why:?}");
        }
        for why in [ended(Code::ShuttingDown), ended(Code::Overloaded), Reason::Lost("".into())] {
            assert!(!wants_operator(&why), "{why:?}");
        }
    }
}
