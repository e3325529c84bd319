//! A broker's or a bridge's metrics, read as Prometheus reads them; it counts nothing itself.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a broker or a bridge told of itself at one time.
#[derive(Debug, Clone)]
pub struct Metrics(String);

impl Metrics {
    /// Asks the listener at this address.
    ///
    /// # Errors
    ///
    /// What the system says, if nobody answers.
    pub async fn read(addr: SocketAddr) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(addr).await?;
        stream
            .write_all(format!("GET /metrics HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n").as_bytes())
            .await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok(Self(page))
    }

    /// All of it.
    #[must_use]
    pub fn page(&self) -> &str {
        &self.0
    }

    /// The value of a line.
    ///
    /// # Panics
    ///
    /// If there is no such line.
    #[must_use]
    pub fn value(&self, name: &str) -> u64 {
        let value = self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }
}
