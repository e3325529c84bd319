// What holds unless a page says otherwise, each number with its reason; never a number of the protocol.

/** The package's version, as its package.json has it. */
export const VERSION = '0.1.0';

/** The subprotocol of binary bodies (PROTOCOL.md, "Versions"). */
export const SUBPROTOCOL = 'callboard.v1';

/** Where a broker takes WebSockets on the page's own origin. */
export const PATH = '/v1/bus';

/** The prefix of one-off channels. */
export const ONE_OFF_PREFIX = 'once/';

/** A session that lived this long shows that the broker is well: the next pause is the first again. */
export const SESSION_IS_WELL_MS = 10_000;

/** The pause before a broker that says "come back now" is asked again lies between nothing and this, so that a thousand
 * pages do not come back in one instant. */
export const AT_ONCE_JITTER_MS = 250;

/** The network that is back, or the page that is shown, cuts a pause short at most this often: one that flaps must not
 * make a busy loop. */
export const WAKE_PAUSE_MS = 1_000;

/** A broker's wish to be left alone is honoured up to here; a longer one is a mistake or worse. */
export const RETRY_AFTER_CAP_MS = 3_600_000;

/** Where no session can be opened at all, needs are told so at once, but not in a circle of those who need it again. */
export const GIVE_UP_PAUSE_MS = 100;

/** How many channels that the broker gave unasked are remembered in a session, to judge their deliveries. */
export const NAMED_MAX = 16_384;

/** How much waits inside the socket before publishes wait outside of it, in bytes. */
export const SOCKET_BYTES = 1 << 20;

/** A socket in which this much waits is one that the broker does not read: publishes and questions are far less. */
export const SOCKET_BYTES_MAX = 16 << 20;

/** How often a full socket is looked at again: it tells nobody when it has room. */
export const SOCKET_LOOK_MS = 20;

/** How many of a rewound channel's last messages are kept for listeners who ask for them late, and how many bytes. */
export const RECENT_MESSAGES = 256;
export const RECENT_BYTES = 1 << 20;

/** A timer that fires this much late shows that the page was asleep: what the broker said meanwhile may be waiting. */
export const ASLEEP_MS = 1_000;

/** A bridge whose broker was never there has promised no signs of life; this long it may take for one (PROTOCOL.md,
 * "Suspended sessions"). */
export const SUSPENDED_SILENCE_MS = 120_000;

/** A bridge whose broker is back gives a page ten seconds to say Hello, as to who has just connected. The pause before
 * that leaves most of them for a token that has to be fetched. */
export const RESUMED_PAUSE_MS_MAX = 3_000;

/** Browsers wake a hidden page's timers once a minute: what is later than this was not throttled but frozen. */
export const FROZEN_MS = 90_000;

/** What is longer than this, a browser's timer waits for not at all. */
export const TIMER_MS_MAX = 0x7fffffff;

/** A poll whose changes the bus tells goes on this much slower, since what is read may have other sources too. */
export const POLL_SLOWER = 10;

/** A poll's run that takes longer hangs: browsers themselves give most requests less than five minutes. */
export const POLL_TIMEOUT_MS = 120_000;

/** Every option that is a number, with its default and the least that it may be. */
export const NUMBERS = Object.freeze({
  /** How many publishes wait between their callers and the socket. */
  queueMessages: { default: 1024, least: 1 },
  /** How many bytes of publishes wait between their callers and the socket. */
  queueBytes: { default: 4 << 20, least: 1 },
  /** A component that is mounted again within half a second finds its channel as it left it. */
  unsubscribeGraceMs: { default: 500, least: 0 },
  /** A visitor who comes back to a view within half a minute finds the connection open. */
  lingerMs: { default: 30_000, least: 0 },
  /** Several lost packets on a slow line, and a token that has to be fetched. */
  attemptTimeoutMs: { default: 10_000, least: 1 },
  /** A busy broker and a slow line together. */
  heartbeatGraceMs: { default: 5_000, least: 0 },
  /** The pause after the first failed attempt lies between nothing and this. */
  backoffBaseMs: { default: 200, least: 1 },
  /** A broker that is back is found within half a minute. */
  backoffCapMs: { default: 30_000, least: 1 },
  /** How long a farewell waits for publishes on their way. */
  closeTimeoutMs: { default: 5_000, least: 0 },
});
