//! How peers agree on a version: by name at the handshake, never inside a frame.

/// The TLS application protocol of the QUIC door. A peer that offers no known one is refused in the handshake.
pub const ALPN: &[u8] = b"callboard/1";

/// The WebSocket subprotocol whose binary messages are one body each.
pub const WEBSOCKET_BINARY: &str = "callboard.v1";

/// The WebSocket subprotocol whose text messages are one frame each, written as JSON.
pub const WEBSOCKET_JSON: &str = "callboard.v1.json";

/// The port of every door unless the configuration says otherwise: UDP for QUIC, TCP for the browser's door.
pub const DEFAULT_PORT: u16 = 4480;

/// The scheme of a broker's address, as in `callboard://example.org:4480`.
pub const URL_SCHEME: &str = "callboard";
