//! The numbers both peers must agree on, each with its reason; never a default that one side may choose alone.

/// Longest body, in bytes, that either peer accepts: room for a payload of half a mebibyte and a frame around it.
/// A longer length prefix is refused before any memory is taken for it (PROTOCOL.md, "Stream").
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Longest body, in bytes, of a session's first frame: room for the largest credential, and little for a peer that
/// nobody knows yet (PROTOCOL.md, "Stream").
pub const HELLO_BYTES_MAX: usize = 32 << 10;

/// Longest length prefix, in bytes: a varint of three bytes counts to 2^21 − 1.
pub const LENGTH_BYTES_MAX: usize = 3;

/// Largest payload, in bytes, that any configuration may allow.
pub const PAYLOAD_BYTES_CEILING: usize = 512 << 10;

/// Largest payload, in bytes, unless the broker's configuration says otherwise. The bus is for small packets:
/// what is larger belongs behind a reference that the message carries.
pub const PAYLOAD_BYTES_DEFAULT: usize = 64 << 10;

/// Longest channel name, in bytes of UTF-8: one byte of length on the wire, and a name a person can still read.
pub const CHANNEL_NAME_BYTES_MAX: usize = 255;

/// Longest message key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;

/// Longest identity, strategy, service, method, event or agent name, in bytes.
pub const LABEL_BYTES_MAX: usize = 255;

/// Longest origin of a page, in bytes: the longest host name with any scheme and port that a browser knows.
pub const ORIGIN_BYTES_MAX: usize = 512;

/// Longest sentence in a [`Goodbye`](crate::frame::Goodbye), [`Failed`](crate::frame::Failed) or
/// [`Suspended`](crate::frame::Suspended), in bytes.
pub const SENTENCE_BYTES_MAX: usize = 1024;

/// Largest credential, in bytes: a signed token with generous claims, and no more before a peer is known.
pub const CREDENTIAL_BYTES_MAX: usize = 16 << 10;

/// Largest integer on the wire, 2^53 − 1: the largest that every JavaScript number holds exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How many acknowledged publishes a client may have unanswered at once. A reconnected client sends exactly these
/// again, so a channel must remember at least as many ids of each publisher.
pub const UNACKNOWLEDGED_MAX: usize = 128;

/// How many ids of one publisher a channel remembers, so that a publish sent again is stored once.
pub const PUBLISH_WINDOW: usize = 256;

/// Bytes of a frame beside its payload, key and names: kind, integers and lengths of the widest frame.
pub const FRAME_BYTES_OVERHEAD: usize = 256;

const _: () = assert!(BODY_BYTES_MAX < 1 << (7 * LENGTH_BYTES_MAX), "every legal body has a legal length prefix");
const _: () = assert!(PAYLOAD_BYTES_DEFAULT <= PAYLOAD_BYTES_CEILING, "the default is a legal configuration");
const _: () = assert!(
    PAYLOAD_BYTES_CEILING + CHANNEL_NAME_BYTES_MAX + KEY_BYTES_MAX + 2 * LABEL_BYTES_MAX + FRAME_BYTES_OVERHEAD
        <= BODY_BYTES_MAX,
    "the largest payload fits the largest body, with every name at its longest"
);
const _: () = assert!(
    CREDENTIAL_BYTES_MAX + 2 * LABEL_BYTES_MAX + FRAME_BYTES_OVERHEAD <= HELLO_BYTES_MAX,
    "the largest Hello fits the largest first body"
);
const _: () = assert!(
    CREDENTIAL_BYTES_MAX + LABEL_BYTES_MAX + ORIGIN_BYTES_MAX + FRAME_BYTES_OVERHEAD <= HELLO_BYTES_MAX,
    "the largest Introduce fits the largest first body"
);
const _: () = assert!(HELLO_BYTES_MAX <= BODY_BYTES_MAX, "a first body is a body");
const _: () = assert!(UNACKNOWLEDGED_MAX <= PUBLISH_WINDOW, "what a client may send again is still remembered");
