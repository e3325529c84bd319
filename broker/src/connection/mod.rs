//! A connection: one kameo actor that owns its socket, whichever door it came by.
//!
//! [`Session`] is the inlet that a door feeds with typed frames; [`Outbox`] is the one queue out; [`Actor`] is the
//! QUIC door's owner of a socket.

mod actor;
mod arrival;
mod bridge;
mod ending;
mod gate;
mod hello;
mod loan;
mod messages;
mod outbox;
mod registry;
mod session;
mod size;
mod socket;
mod state;
mod subscriptions;
mod windows;
mod writer;

pub(crate) use actor::{Actor, Opening, Patience};
pub(crate) use arrival::{Arrival, Shown};
pub(crate) use bridge::{BridgeUpgrade, VisitorAcceptor};
pub(crate) use ending::{goodbye_frame, malformed};
pub(crate) use gate::Gate;
pub(crate) use hello::check_shown;
pub(crate) use messages::Drain;
pub(crate) use outbox::{Ended, Outbox};
pub(crate) use registry::Registry;
pub(crate) use session::{Session, Shares};
#[cfg(feature = "simulation")]
pub(crate) use socket::Gone;
pub(crate) use socket::Socket;
pub(crate) use state::Rules;
pub(crate) use windows::Windows;
pub(crate) use writer::Writer;
