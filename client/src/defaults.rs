//! What holds unless the builder is told otherwise, each number with its reason; never a number of the protocol.

use std::time::Duration;

use callboard_protocol::limits::UNACKNOWLEDGED_MAX;

/// How long [`connect`](crate::Builder::connect) keeps trying: a person who started a program still waits for it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one attempt may take, from the token to `Welcome`: several lost packets on a slow line.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing may be heard before a connection is given up. Keep-alives go out three times in it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long [`close`](crate::Client::close) waits for publishes on their way.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after the first failed attempt lies between nothing and this.
pub const BACKOFF_BASE: Duration = Duration::from_millis(200);

/// No pause of the client's own choice is longer: a broker that is back is found within half a minute.
pub const BACKOFF_CAP: Duration = Duration::from_secs(30);

/// How many publishes wait between their callers and the socket.
pub const QUEUE_MESSAGES: usize = 1024;

/// How many bytes of publishes wait between their callers and the socket, as frames.
pub const QUEUE_BYTES: usize = 4 << 20;

/// How many acknowledged publishes are on their way at once: the most that a broker remembers for sure.
pub const UNACKNOWLEDGED: usize = UNACKNOWLEDGED_MAX;

/// How many messages wait for the reader of one [`Subscription`](crate::Subscription).
pub const SUBSCRIPTION_MESSAGES: usize = 1024;

/// How many bytes of payloads, keys and names wait for the reader of one [`Subscription`](crate::Subscription).
pub const SUBSCRIPTION_BYTES: usize = 4 << 20;

/// The prefix of one-off channels.
pub const ONE_OFF_PREFIX: &str = "once/";

/// A session that lived this long shows that the broker is well: the next pause is the first again.
pub(crate) const SESSION_IS_WELL: Duration = Duration::from_secs(10);

/// The pause before a broker that says "come back now" is asked again lies between nothing and this, so that a
/// thousand clients do not come back in one instant.
pub(crate) const AT_ONCE_JITTER: Duration = Duration::from_millis(250);

/// A broker's wish to be left alone is honoured up to here; a longer one is a mistake or worse.
pub(crate) const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// How long a farewell may take when the last handle was dropped, and how long the broker has to take a goodbye.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// How long the next address of a host waits for the one before (RFC 8305, "Connection Attempt Delay").
pub(crate) const ADDRESS_STAGGER: Duration = Duration::from_millis(250);

/// How long the other addresses of a host still have when one showed a certificate that is not believed.
pub(crate) const UNTRUSTED_GRACE: Duration = Duration::from_secs(1);

/// How many addresses of a host are tried.
pub(crate) const ADDRESSES_MAX: usize = 16;

/// How many requests to subscribe wait for the driver; who comes later waits for room.
pub(crate) const COMMANDS: usize = 64;

/// How many channels that the broker gave unasked are remembered in a session, to judge their deliveries: some MiB at
/// the longest names.
pub(crate) const NAMED_MAX: usize = 16_384;

/// How many questions of the broker wait for their answers to be written. One that asks more, and takes none of the
/// answers meanwhile, is not read until it does.
pub(crate) const PONGS_MAX: usize = 1024;

/// How much is written at once: beyond this a larger write costs no less for each byte.
pub(crate) const WRITE_BYTES: usize = 16 << 10;

/// How many chunks are taken from the stream at once.
pub(crate) const READ_CHUNKS: usize = 32;

/// How many bytes of a connection are on their way in at once.
pub(crate) const RECEIVE_WINDOW_BYTES: u32 = 1 << 20;

/// How many bytes are on their way out at once, written and not yet known to have come.
pub(crate) const SEND_WINDOW_BYTES: u64 = 1 << 20;

/// How many sessions for others one connection carries, as many as a broker lets it unless told otherwise.
pub const SESSIONS_A_CONNECTION: usize = 1000;

/// How many bytes of one such session are on their way in at once: a few hundred messages, which is what a page gets in
/// a moment, and little enough that all may lie unread.
pub const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// How many bytes of all sessions of such a connection are on their way out at once: as many as a broker takes of a bridge
/// before it has read them.
pub const SHARED_SEND_WINDOW_BYTES: u64 = 1 << 20;

/// How long after `Welcome` a broker may take to let a connection have further streams: it says so at once, and a packet
/// may be lost twice.
pub(crate) const STREAMS_WITHIN: Duration = Duration::from_secs(3);

/// How many such sessions, closed by their owners, write their last words at once.
pub(crate) const CLOSING_MAX: usize = 1024;

/// The socket's buffers, in bytes. The system may give less.
pub(crate) const SOCKET_BYTES: usize = 2 << 20;

const _: () = assert!(UNACKNOWLEDGED <= UNACKNOWLEDGED_MAX);
const _: () = assert!(BACKOFF_BASE.as_millis() < BACKOFF_CAP.as_millis());
