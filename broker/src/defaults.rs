//! What the broker does when nobody configures it, each value with its reason.

use std::time::Duration;

pub use callboard_bridge_ws::defaults::{
    DRAIN_DEADLINE, HELLO_TIMEOUT, HTTP_CONNECTIONS, HTTP_CONNECTIONS_PER_ADDRESS, HTTP_PUBLISH_BYTES,
    HTTP_PUBLISH_BYTES_MIN, PING_GRACE, PING_INTERVAL,
};

/// One queue to a session, in bytes: about seven thousand small messages, a second or two of a busy channel for a
/// reader that stumbles, and still only a gibibyte for a thousand stalled readers of a thousand different channels.
pub const OUTBOX_BYTES: usize = 1 << 20;

/// One queue to a session, in messages, so that tiny ones are bounded too.
pub const OUTBOX_MESSAGES: usize = 16 << 10;

/// What a channel remembers, in messages: enough for a page that reloads or a network that changes.
pub const HISTORY_MESSAGES: usize = 1024;

/// What a channel remembers, in bytes.
pub const HISTORY_BYTES: usize = 1 << 20;

/// How long a channel remembers: a laptop carried to the next meeting is back within it.
pub const HISTORY_AGE: Duration = Duration::from_secs(300);

/// Subscriptions a session may have: a page uses tens, a service that fans in may use thousands.
pub const SUBSCRIPTIONS_MAX: usize = 10_000;

/// Silence after which QUIC drops a peer; halfway the broker pings it, and the silence counts from then: a dead peer is
/// dropped within one and a half times this. Clients keep alive at a third of this, and are not pinged.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Over how long clients are asked to spread their return after a shutdown.
pub const DRAIN_SPREAD: Duration = Duration::from_secs(5);

/// How long a channel that nothing happens to stays awake: long enough to bridge a conversation's pauses, short enough
/// that a burst over many channels does not hold five kilobytes for each.
pub const CHANNEL_IDLE: Duration = Duration::from_secs(5);

/// How long a channel of which nothing is left waits for a member whose connection was lost: the client may notice the loss
/// a whole [`IDLE_TIMEOUT`] after the broker did, and pauses for up to half a minute between its attempts.
pub const CHANNEL_GRACE: Duration = Duration::from_secs(60);

/// Batches of publishes that may wait for a channel. A batch is what one read of one session brought, so this is tens
/// of thousands of messages; past it the publishers' reading stops.
pub const CHANNEL_MAILBOX: usize = 256;

// What follows is not for operators: it shapes the message path, and each value was measured or follows from another.

/// A channel's chunk has this many bytes at most, unless a single message has more: past it batching gains nothing, and each
/// subscriber's outbox would move in leaps.
pub(crate) const CHUNK_BYTES: usize = 16 << 10;

/// Members that are handed a chunk between two chances for other actors to run.
pub(crate) const MEMBERS_A_TURN: usize = 1024;

/// Members up to which a publish to a sleeping channel is handed out by its publisher, under the channel's lock: about as
/// many as cost no more than waking an actor.
pub const MEMBERS_IN_PLACE: usize = 16;

/// What a writer takes from the outbox at once, in bytes: enough to keep the socket busy, little enough that what a slow
/// reader has not taken still counts against its outbox.
pub(crate) const FILL_BYTES: usize = 64 << 10;

/// Pieces from this size on are written as they are, sharing the memory of all who get them; smaller ones are copied
/// together into chunks of [`CHUNK_BYTES`], because quinn's send buffer searches its pieces one by one.
pub(crate) const PIECE_BYTES_SHARED: usize = 4 << 10;

/// Chunks taken from a stream in one read: about 38 KiB of full datagrams.
pub(crate) const CHUNKS_A_READ: usize = 32;

/// How long a session that ends may take to send what is left and have it acknowledged, unless the broker is draining.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Signals that may wait for a connection: the broker tells it to drain and to end, and no more.
pub(crate) const CONNECTION_MAILBOX: usize = 8;

/// Replays that a session may have under way; each holds shares of a channel's history. A session that asks for more is
/// read again when one of them is over.
pub(crate) const REPLAYS_MAX: usize = 32;

/// Frames in a row that a session may send too fast before it is ended: each was answered with the time to wait.
pub(crate) const STRIKES_MAX: u32 = 1000;

/// Batches of publishes of one session of which one's latency is sampled on its way to a subscriber's socket. A batch has a
/// read's worth of messages, so the clock is asked twice for some thousand of them.
pub(crate) const SAMPLED_ONE_IN: u32 = 16;

/// Slots that a session remembers, so that a publisher does not look its channel up for every batch.
pub(crate) const SLOTS_MAX: usize = 64;

/// Channels whose publish grant a session remembers. Past it the grants are asked for anew, which is only slower.
pub(crate) const GRANTS_MAX: usize = 64;

/// How many batches of one read are searched for one of the same channel.
pub(crate) const BATCHES_SEARCHED: usize = 8;

/// Places that an emptied outbox keeps for the next frames.
pub(crate) const PLACES_KEPT: usize = 64;

/// Shards of the directory: many more than cores, so that two lookups rarely meet.
pub(crate) const SHARDS: usize = 64;

/// How often one shard of the directory forgets what is too old; all of it is swept in [`SHARDS`] times this.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// Sweeps between two looks at the file of API keys, one second: what an operator who revokes a key waits for, at the price
/// of a `stat`.
pub(crate) const SWEEPS_A_LOOK: usize = 10;

/// Of all places for channels, one in so many is not for those that only wait: new ones find it free.
pub(crate) const CHANNELS_SPARED: usize = 8;

/// Sessions, that is streams, that a peer may have open on one connection, unless it is a bridge that speaks for others.
pub(crate) const SESSIONS_MAX: u32 = 1;

/// Bytes that a busy peer may send before the broker took them: several reads' worth.
pub(crate) const RECEIVE_WINDOW: u32 = 256 << 10;

/// Bytes that any other peer may send before the broker took them: a `Hello` with its credential, or a batch of
/// publishes.
pub(crate) const RECEIVE_WINDOW_SMALL: u32 = 16 << 10;

/// A read of this many bytes shows that a peer would send more if it might.
pub(crate) const RECEIVE_BUSY: usize = 4 << 10;

/// Bytes that are sent and not acknowledged, for a connection with much to be sent. What waits longer waits in the outbox.
pub(crate) const SEND_WINDOW: u64 = 512 << 10;

/// Bytes that are sent and not acknowledged, for any other connection and for small pieces, each of which QUIC keeps
/// with a buffer of its own: more than QUIC sends unasked before the first acknowledgement.
pub(crate) const SEND_WINDOW_SMALL: u64 = 16 << 10;

/// Bytes that all visitors of one bridge may send before the broker took them, beside what the stuck are lent: four of them
/// may fill their streams' windows between two of its turns.
pub(crate) const BRIDGE_RECEIVE_WINDOW: u32 = 4 * RECEIVE_WINDOW;

/// Bytes that are sent to one bridge and not acknowledged: two kilobytes for each of a thousand browsers. An edge is far
/// away by its nature; with 50 ms to it this is forty megabytes a second.
pub(crate) const BRIDGE_SEND_WINDOW: u64 = 2 << 20;

/// Sessions of one bridge that may be stuck at once, each lent a stream's window. Who reads is stuck for moments, if at all.
/// Fourteen megabytes, less than the bridge has itself; a thousand would take what there is for everybody.
pub(crate) const LOANS_MAX: u32 = 16;

/// Bytes behind what waits for a visitor's own reading that are read before it is stuck: four hundred further subscriptions
/// of a page that comes back to more channels than are replayed at once.
pub(crate) const READ_ON_BYTES: usize = 16 << 10;

/// How many times its bytes a small piece takes in QUIC, which keeps each in a buffer of its own until it is acknowledged.
pub(crate) const SMALL_PIECES: u64 = 8;

/// What both windows of a bridge take, which has to write small pieces at any speed.
pub(crate) const BRIDGE_BYTES: usize =
    (SMALL_PIECES * BRIDGE_SEND_WINDOW) as usize + BRIDGE_RECEIVE_WINDOW as usize / 2 * 7;

/// What QUIC keeps for each stream that a bridge might open: two places in tables.
pub(crate) const BRIDGE_STREAM_BYTES: usize = 256;

/// With this many bytes to be written at once the pieces are large, and the window may be.
pub(crate) const SEND_BUSY: usize = 8 << 10;

/// Bytes of a frame that has not come whole, without a share of the total.
pub(crate) const PARTIAL_BYTES_FREE: usize = 16 << 10;

/// Memory that the commands of one read may take before the rest of it is decoded: as many small publishes as a usual
/// read brings fit four times.
pub(crate) const COMMANDS_BYTES: usize = 512 << 10;

/// What QUIC may keep for all handshakes that have not been looked at yet; the door looks at once.
pub(crate) const INCOMING_BYTES: u64 = 4 << 20;

/// What the kernel may hold for the one socket of all connections: a burst to thousands of subscribers.
pub(crate) const SOCKET_BYTES: usize = 4 << 20;

const _: () = assert!(PIECE_BYTES_SHARED < CHUNK_BYTES, "small pieces are copied into a larger chunk");
const _: () = assert!(
    SEND_BUSY <= SEND_WINDOW_SMALL as usize && RECEIVE_BUSY < RECEIVE_WINDOW_SMALL as usize,
    "a window is filled before a larger one is asked for"
);
const _: () = assert!(
    BRIDGE_RECEIVE_WINDOW >= RECEIVE_WINDOW,
    "one session cannot fill the window of all others of its connection"
);
const _: () = assert!(
    CHANNEL_GRACE.as_secs() >= IDLE_TIMEOUT.as_secs() + 30,
    "a client comes back to its channel though it noticed late and paused"
);
const _: () = assert!(LOANS_MAX < u32::MAX / RECEIVE_WINDOW / 4, "the largest window is a number of 32 bits");
const _: () = assert!(CHUNK_BYTES <= FILL_BYTES && FILL_BYTES <= OUTBOX_BYTES, "a fill is whole chunks of an outbox");
