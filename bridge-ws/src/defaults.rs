//! What the browser's door does when nobody configures it, and the bounds that are not for operators; each with its reason.

use std::time::Duration;

use callboard_protocol::Millis;

/// Until `Hello` must have come: a handshake over a bad mobile link takes a few seconds. At the broker also until a later frame
/// must have that holds room which others were refused: the longest payload of the defaults comes in time at 52 kbit/s.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a shutdown waits until everything is out: service managers kill after ten seconds or more.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(8);

/// How often a browser is asked for a sign of life: proxies between it and the broker forget what is silent for a minute,
/// some for half of one.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long its answer may take: a browser lets the timers of a tab in the background run once a minute.
pub const PING_GRACE: Duration = Duration::from_secs(65);

/// HTTP connections that are no WebSocket yet: a burst of returning pages; who comes later waits in the kernel.
pub const HTTP_CONNECTIONS: usize = 1024;

/// HTTP connections of one address that are no WebSocket yet: an eighth of all, so that nobody alone can keep all
/// others out.
pub const HTTP_CONNECTIONS_PER_ADDRESS: usize = 128;

/// Bodies of publishes over HTTP that are under way, and a kibibyte for each of their messages: eight of the largest
/// requests at once, or thousands of small ones.
pub const HTTP_PUBLISH_BYTES: usize = 16 << 20;

/// What a message of a publish over HTTP costs beside its bytes in the body: its key, its outcome and its line of the
/// answer.
pub const MESSAGE_BYTES: usize = 1 << 10;

/// The least for all publishes over HTTP that are under way: of a quarter of it one request may have its messages.
pub const HTTP_PUBLISH_BYTES_MIN: usize = 4 * MESSAGE_BYTES;

/// How many times its bytes a body takes while it is read: as it came and grew, a payload's text around which a frame is
/// put, what is decoded from it, and the copy that grows into the frame's body.
pub const BODY_COPIES: usize = 6;

// What follows is not for operators.

/// The least that is taken for a body.
pub(crate) const BODY_BYTES_FIRST: usize = 4 << 10;

/// When to come again if too much is published over HTTP.
pub(crate) const COME_AGAIN: Millis = Millis::saturating(1000);

/// Bytes taken from a socket at once; they stand on the stack while they are read.
pub(crate) const READ_BYTES: usize = 16 << 10;

/// Pieces handed to the kernel in one write.
pub(crate) const SLICES_A_WRITE: usize = 64;

/// Frames that one message may be cut into: a browser cuts into pieces of 64 KiB and more, a library into a kilobyte.
pub(crate) const FRAGMENTS_MAX: u32 = 4096;

/// Control frames that a browser may send between two turns of its heartbeat.
pub(crate) const CONTROLS_MAX: u32 = 1000;

/// Pongs that wait to be written. RFC 6455, section 5.5.3, asks for the last one only.
pub(crate) const PONGS_MAX: usize = 16;

/// Places that a queue out keeps when it is empty.
pub(crate) const PLACES_KEPT: usize = 4;

/// How long a session that ends may take to send what is left and to hang up.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Signals that may wait for a socket's actor: a turn of the heartbeat, and that the door drains.
pub(crate) const MAILBOX: usize = 8;

/// Parts that the heartbeat's interval is cut into, so that not all sockets tick at once.
pub(crate) const SPOKES: usize = 64;

/// How long to wait after a connection could not be accepted.
pub(crate) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
