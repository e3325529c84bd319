//! One HTTP request, written by hand, and its answer; it follows nothing and keeps no connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::raw::Wire;
use crate::soon;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its line and header fields.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// Its body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Posts JSON to `path` with these further header fields, each with its end of line.
///
/// # Panics
///
/// If no whole answer comes in time.
pub async fn post(addr: SocketAddr, path: &str, fields: &str, body: &str) -> Answer {
    let stream = soon("a TCP connection", TcpStream::connect(addr)).await.expect("a door that is open");
    post_over(stream, path, fields, body).await
}

/// The same over a connection that is open already.
///
/// # Panics
///
/// If no whole answer comes in time.
pub async fn post_over(stream: impl Wire, path: &str, fields: &str, body: &str) -> Answer {
    let request = format!(
        "POST {path} HTTP/1.1\r\n{}Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{fields}\r\n{body}",
        host(fields),
        body.len()
    );
    ask(stream, &request).await
}

/// Asks for what is at `path`.
///
/// # Panics
///
/// If no whole answer comes in time.
pub async fn get(addr: SocketAddr, path: &str) -> Answer {
    let stream = soon("a TCP connection", TcpStream::connect(addr)).await.expect("a door that is open");
    ask(stream, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
}

/// The field `Host` for a request with these others, unless one of them is it.
pub(crate) fn host(fields: &str) -> &'static str {
    if fields.contains("Host: ") { "" } else { "Host: localhost\r\n" }
}

async fn ask(mut stream: impl Wire, request: &str) -> Answer {
    soon("room for a request", stream.write_all(request.as_bytes())).await.expect("a door that listens");
    soon("room for what TLS has of it", stream.flush()).await.expect("a door that listens");
    let mut text = String::new();
    soon("an answer", stream.read_to_string(&mut text)).await.expect("an answer of text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
}
