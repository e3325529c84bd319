//! Accepts connections, and waits a moment where the system cannot give one. It never gives up, and never spins.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::defaults::ACCEPT_AGAIN;

/// The next connection of `listener`.
pub async fn next_connection(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The system has no descriptor for it, say: the next may fare better, but not at once.
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}
