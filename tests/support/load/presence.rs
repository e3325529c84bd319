//! Whether a client has a session, followed by its states; it holds no client open.

use callboard_client::{ConnectionId, Reason, State, States};
use callboard_protocol::close::Code;

use super::notes::Notes;
use crate::checker::Fact;

/// Notes the client's sessions until it closes. Gives why it did.
pub(super) async fn follow(mut states: States, notes: Notes) -> Reason {
    let mut session: Option<ConnectionId> = None;
    let mut state = Some(states.current());
    while let Some(now) = state {
        match now {
            State::Online(online) => {
                // A state that came and went unseen is known by what it led to.
                if session.is_some_and(|before| before != online.connection) {
                    notes.note(Fact::Disconnected { code: None });
                }
                if session.replace(online.connection) != Some(online.connection) {
                    notes.note(Fact::Connected);
                }
            }
            State::Waiting { why, .. } => {
                if session.take().is_some() || is_at_fault(&why) {
                    notes.note(Fact::Disconnected { code: code(&why) });
                }
            }
            State::Closed { why } => return why,
            State::Connecting | _ => {}
        }
        state = states.next().await;
    }
    Reason::Stopped
}

fn is_at_fault(why: &Reason) -> bool {
    matches!(why, Reason::BrokerAtFault(_))
}

/// The number that stands for a session's end.
fn code(why: &Reason) -> Option<u16> {
    match why {
        Reason::Ended { code, .. } => Some(*code),
        Reason::BrokerAtFault(_) => Some(Code::OutOfOrder.number()),
        Reason::Asked | Reason::Stopped | Reason::Token(_) | Reason::Unreachable(_) | Reason::Untrusted(_) => None,
        Reason::Lost(_) | _ => None,
    }
}
