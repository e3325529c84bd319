// The numbers of PROTOCOL.md, "Limits", that both peers must agree on; never a default that this package chooses alone.

/** The largest integer on the wire, 2^53 − 1: the largest that every JavaScript number holds exactly. */
export const INTEGER_MAX = Number.MAX_SAFE_INTEGER;
export const U32_MAX = 0xffffffff;
export const U16_MAX = 0xffff;

/** The longest body, in bytes, that either peer accepts. */
export const BODY_BYTES_MAX = 1048576;
/** The largest payload, in bytes, under any configuration of a broker. */
export const PAYLOAD_BYTES_CEILING = 524288;
/** The longest channel name, in bytes of UTF-8. */
export const CHANNEL_NAME_BYTES_MAX = 255;
/** The longest key of a message, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 255;
/** The longest name of an agent, a strategy and the like, in bytes of UTF-8. */
export const LABEL_BYTES_MAX = 255;
/** The largest secret of a credential, in bytes of UTF-8. */
export const CREDENTIAL_BYTES_MAX = 16384;
/** How many publishes with a sequence a client may have unanswered: the most that a channel remembers for sure. */
export const UNACKNOWLEDGED_MAX = 128;
