//! How the QUIC door sets up its transport and its socket; `callboard bench` sets up its bare writer alike. No policy.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

use super::quic::BindError;
use crate::defaults::{RECEIVE_WINDOW, SEND_WINDOW, SESSIONS_MAX, SOCKET_BYTES};

/// The transport of a busy connection at the door.
///
/// # Errors
///
/// [`BindError::IdleTimeout`] if QUIC cannot say it.
pub fn transport(idle_timeout: Duration) -> Result<TransportConfig, BindError> {
    let idle = IdleTimeout::try_from(idle_timeout).map_err(|_| BindError::IdleTimeout(idle_timeout))?;
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(SESSIONS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle))
        // A client keeps its connection alive by its own idle timeout, and does not know of a shorter one here. One that
        // does so sooner is not asked. QUIC counts the silence of one that is asked from the question on.
        .keep_alive_interval(Some(idle_timeout / 2));
    Ok(transport)
}

/// A bound socket for all connections of a door.
///
/// # Errors
///
/// What the operating system says.
pub fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel may grant less; the door works with that too, and loses a datagram earlier.
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}
