// The shapes that modules agree on: what goes over the wire, and what a page gives and gets. It has no code.

/**
 * @typedef {{ kind: 'text', text: string } | { kind: 'json', json: string }
 *   | { kind: 'binary', bytes: Uint8Array }} WirePayload
 *
 * @typedef {object} Position A place in a channel.
 * @property {number} epoch The life of the channel; offsets of two lives are never compared.
 * @property {number} offset The last message up to this place.
 *
 * @typedef {object} Credential
 * @property {string} strategy How to tell: `apikey` is one.
 * @property {string} secret The secret, in the strategy's form.
 *
 * @typedef {object} Identity Whom the broker takes this page for.
 * @property {string} strategy The strategy that told.
 * @property {string} key The page's key under it: an API key's name, a user's id.
 *
 * @typedef {{ kind: 'Live' } | { kind: 'Recover', position: Position } | { kind: 'Rewind', messages: number }} Start
 *
 * @typedef {{ kind: 'Subscribed', channel: number, position: Position, next: number, recovered: boolean }} Subscribed
 * @typedef {{ kind: 'Done' } | Subscribed
 *   | { kind: 'Published', position: Position }
 *   | { kind: 'Identity', identity: Identity | null }
 *   | { kind: 'Returned', payload: WirePayload }} Answer
 *
 * @typedef {{ code: number, class: string, sentence: string, data: WirePayload | null }} WireFailure
 * @typedef {{ kind: 'Returned', payload: WirePayload } | ({ kind: 'Failed' } & WireFailure)} Outcome
 */

/**
 * @typedef {{ kind: 'Hello', agent: string, instance: Uint8Array, capabilities: number,
 *   credential: Credential | null }} Hello
 * @typedef {{ kind: 'Goodbye', code: number, sentence: string, retry_after: number | null }} Goodbye
 * @typedef {{ kind: 'Subscribe', request: number, channel: string, start: Start, options: number }} Subscribe
 * @typedef {{ kind: 'Publish', request: number, sequence: number, channel: string, key: string | null,
 *   payload: WirePayload }} Publish
 * @typedef {Hello | Goodbye | Subscribe | Publish
 *   | { kind: 'Pong', nonce: number }
 *   | { kind: 'Authenticate', request: number, credential: Credential }
 *   | { kind: 'Logout', request: number }
 *   | { kind: 'Unsubscribe', request: number, channel: string }
 *   | { kind: 'Call', request: number, service: string, method: string, arguments: WirePayload }
 *   | { kind: 'Provide', request: number, service: string }
 *   | { kind: 'Withdraw', request: number, service: string }
 *   | { kind: 'Return', call: number, outcome: Outcome }
 *   | { kind: 'Emit', request: number, service: string, event: string, payload: WirePayload }
 *   | { kind: 'Introduce', address: Uint8Array, origin: string | null, credential: Credential | null, private: boolean,
 *       ping_interval: number, publishes: number }} ClientFrame
 */

/**
 * @typedef {{ kind: 'Welcome', agent: string, connection: number, capabilities: number, payload_bytes_max: number,
 *   subscriptions_max: number, ping_interval: number, identity: Identity | null }} Welcome
 * @typedef {{ kind: 'Ok', request: number, answer: Answer }} Ok
 * @typedef {{ kind: 'Failed', request: number } & WireFailure} Failed
 * @typedef {{ kind: 'Named', channel: number, name: string, position: Position }} Named
 * @typedef {{ kind: 'Message', channel: number, offset: number, published: number, publisher: string | null,
 *   key: string | null, payload: WirePayload }} WireMessage
 * @typedef {{ kind: 'Skipped', channel: number, through: number }} Skipped
 * @typedef {{ kind: 'Reset', channel: number, position: Position }} Reset
 * @typedef {{ kind: 'Membership', name: string, member: boolean }} Membership
 * @typedef {{ kind: 'Event', channel: number, offset: number, id: number, service: string, event: string,
 *   payload: WirePayload }} ServiceEvent
 * @typedef {{ kind: 'Suspended', nonce: number, sentence: string, retry_after: number | null }} Suspended
 * @typedef {Welcome | Goodbye | { kind: 'Ping', nonce: number } | Ok | Failed | Named | WireMessage | Skipped | Reset
 *   | Membership | ServiceEvent
 *   | { kind: 'Invoke', call: number, service: string, method: string, caller: Identity | null,
 *       arguments: WirePayload }
 *   | Suspended | { kind: 'Resumed', nonce: number }} ServerFrame
 */

/**
 * A message of a channel. Listeners of one page share it: treat it as read-only.
 * @typedef {object} Message
 * @property {string} channel
 * @property {any} payload A string for text, the parsed value for JSON, a `Uint8Array` for binary.
 * @property {'text' | 'json' | 'binary'} kind
 * @property {Position} position Its place in the channel.
 * @property {number} published When the broker accepted it, in milliseconds since 1970 by the broker's clock.
 * @property {string | null} publisher The key of who published it; `null` is anonymous.
 * @property {string | null} key What it is about, as its publisher said.
 * @property {Error | null} error Why JSON did not parse; `payload` is its raw text then.
 */

/**
 * A stretch of a channel that is missing.
 * @typedef {object} Gap
 * @property {string} channel
 * @property {Position} from The last place before it.
 * @property {Position} to The last place in it. Under another epoch than `from`, how much is missing is not known.
 * @property {'not-recoverable' | 'new-epoch' | 'reset' | 'late'} why The history no longer reaches back; the channel
 *   began anew, as after a restart of the broker; the broker dropped messages; a listener came too late to look back as
 *   far as it wanted, for it shares the channel with others.
 */

/**
 * What goes to every listener of a channel. What it returns is ignored.
 * @callback Listener
 * @param {any} payload A string for text, the parsed value for JSON, a `Uint8Array` for binary.
 * @param {string} channel
 * @param {Message} message
 * @returns {unknown}
 */

/**
 * @typedef {object} SubscribeOptions
 * @property {number} [rewind] Begin with this many of the channel's last messages. Default: 0, the next message.
 * @property {boolean} [excludeOwn] Leave out what this page publishes itself. Default: `false`.
 * @property {(gap: Gap) => unknown} [onGap] Called where messages are missing.
 * @property {(isLive: boolean) => unknown} [onLive] Called with `true` once the broker has answered, with `false` when
 *   the session or the subscription is over. What was published from a `false` to the next `true` arrives then, or is
 *   reported as a gap.
 * @property {(error: CallboardError) => unknown} [onEnd] Called when the subscription has ended for good: the broker
 *   refused it, or no session can be opened here at all. Without it that goes to the client's `onError`.
 */

/**
 * Ends the subscription; the second call does nothing.
 * @typedef {(() => void) & { ready: Promise<Position> }} Unsubscribe `ready` resolves when the broker has answered, to
 *   the place where the subscription stands, and rejects if it, or the connection, ended before.
 */

/**
 * What is polled. Until its promise settles, no other run begins.
 * @callback Run
 * @param {{ signal: AbortSignal }} about `signal` aborts when the poll is stopped or a run takes too long: pass it
 *   to `fetch`.
 * @returns {unknown}
 */

/**
 * @typedef {object} PollOptions
 * @property {number} [slowMs] The interval while the bus proves that nothing was missed. Default: ten intervals.
 * @property {number} [timeoutMs] How long a run may take before it is aborted and counts as failed. Default: 2 minutes.
 * @property {(state: PollState) => unknown} [onState] Called on every change of the poll's state.
 * @property {(error: CallboardError) => unknown} [onEnd] As for a subscription.
 * @property {Clock} [clock] Time and chance, for tests.
 * @property {Page} [page] Where the page's own events come from, for tests.
 *
 * @typedef {object} PollState
 * @property {'running' | 'waiting' | 'hidden' | 'stopped'} name A run is on its way, the next one waits
 *   for its time or until the page is shown, or it ended.
 * @property {boolean} isSlow Whether the bus proves that nothing was missed since the last run.
 * @property {number | null} dueAt When the next run begins at the latest, in milliseconds since 1970, while `waiting`.
 */

/**
 * @typedef {object} PublishOptions
 * @property {string} [key] What the message is about, for those who keep only the last message of a key.
 * @property {'text' | 'json' | 'binary'} [kind] How the payload travels. Default: strings as text, bytes as binary,
 *   everything else as JSON.
 */

/**
 * What is to be published, as `outgoing` transforms see it.
 * @typedef {object} Draft
 * @property {string} channel
 * @property {any} payload As the page gave it.
 * @property {string | null} key
 * @property {'text' | 'json' | 'binary' | undefined} kind
 */

/**
 * Sees each message before its listeners. It may change it, or return another one, or `null` to drop it.
 * @callback Incoming
 * @param {Message} message
 * @returns {Message | null | void}
 */

/**
 * Sees each publish before it is checked and sent. It may change it, or return another one, or `null` to drop it, or
 * `answer(value)` to keep it from the broker and resolve `publishAcked` to `value`.
 * @callback Outgoing
 * @param {Draft} draft
 * @param {(value: any) => object} answer
 * @returns {Draft | object | null | void}
 */

/**
 * @typedef {object} Transforms
 * @property {Incoming | Incoming[]} [incoming]
 * @property {Outgoing | Outgoing[]} [outgoing]
 */

/**
 * The state of a connection. It is immutable: each change is a new object.
 * @typedef {object} State
 * @property {'idle' | 'connecting' | 'online' | 'waiting' | 'closed'} name Nothing needs a connection; an attempt is on
 *   its way; a session is open; there is none until `retryAt`, or until the bridge that this page is connected to finds
 *   its broker; there will be none, unless the page asks for one with `reconnect`.
 * @property {CallboardError | null} reason Why there is no session, while `waiting`, `closed` or `connecting` again: of
 *   class `away` if a bridge keeps the connection until its broker is back. While `idle`, why what needed one was given
 *   up: none can be opened here, as on a server. `null` is that all is well.
 * @property {number | null} retryAt When the next attempt begins, in milliseconds since 1970, while `waiting`; `null`
 *   if the page is hidden in the back-forward cache and the next attempt begins when it is shown, or if a bridge that
 *   waits for its broker does not say when it looks again.
 * @property {SessionInfo | null} session What the broker said, while `online`.
 *
 * @typedef {object} SessionInfo
 * @property {number} connection The session's number in this run of the broker.
 * @property {string} agent What the broker is, for people who read logs.
 * @property {Identity | null} identity Whom it takes this page for; `null` is anonymous.
 * @property {number} payloadBytesMax The largest payload, in bytes, that may be published.
 * @property {number} subscriptionsMax The most channels that may be subscribed to at once.
 */

/**
 * @callback GetToken
 * @param {{ refused: CallboardError | null, signal: AbortSignal }} why `refused` is the broker's word about the last
 *   credential, if it refused that one. `signal` is aborted when nobody waits for the token any more: give it to
 *   `fetch`, so that calls which hang do not pile up.
 * @returns {Promise<string | Credential | null> | string | Credential | null} A string is an API key; `null` is
 *   anonymous.
 */

/**
 * What a page may choose. Of several calls for one URL, the first one's options hold; `connect` says when a later one's
 * `getToken` or `credential` does.
 * @typedef {object} Options
 * @property {GetToken} [getToken] Asked before each attempt, also on a connection that a bridge kept. If the broker
 *   refuses what it gave, it is asked again after a growing pause.
 * @property {Credential | string} [credential] Shown in every session; a string is an API key. If the broker refuses
 *   it, the connection closes.
 * @property {Incoming | Incoming[]} [incoming]
 * @property {Outgoing | Outgoing[]} [outgoing]
 * @property {'queue' | 'fail'} [offline] Whether publishes wait while there is no session, or fail. Default: `queue`.
 * @property {number} [queueMessages] How many publishes wait at most. Default: 1024.
 * @property {number} [queueBytes] How many bytes of publishes wait at most. Default: 4 MiB.
 * @property {number} [unsubscribeGraceMs] How long a channel without listeners stays subscribed. Default: 500.
 * @property {number} [lingerMs] How long a connection that nothing needs stays open. Default: 30 s.
 * @property {number} [attemptTimeoutMs] How long one attempt may take, from the token to the open session. Default: 10
 *   s.
 * @property {number} [heartbeatGraceMs] How much longer than the broker promised a silence may last. Default: 5 s.
 * @property {number} [backoffBaseMs] The bound of the first pause between attempts; it doubles. Default: 200.
 * @property {number} [backoffCapMs] The bound of every pause. Default: 30 s.
 * @property {number} [closeTimeoutMs] How long `close` waits for publishes on their way. Default: 5 s.
 * @property {string} [agent] What the page calls itself in the broker's logs. Default: `callboard-js/` and the version.
 * @property {boolean} [shared] Whether to share one WebSocket with the rest of the page. Default: `true`.
 * @property {WebSocketConstructor} [WebSocket] The constructor to use, where the platform has none (Node 20). Default:
 *   the global one, if there is one when it is needed.
 * @property {Clock} [clock] Time and chance, for tests.
 * @property {Page} [page] Where the page's own events come from, for tests.
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now Milliseconds since 1970.
 * @property {(callback: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random From 0 up to 1, evenly.
 *
 * @typedef {Pick<EventTarget, 'addEventListener' | 'removeEventListener'>} Events
 *
 * @typedef {object} Page
 * @property {Events | undefined} window
 * @property {(Events & { visibilityState: string }) | undefined} document
 *
 * @typedef {object} Socket What this package uses of a WebSocket.
 * @property {string} binaryType
 * @property {number} bufferedAmount
 * @property {number} readyState
 * @property {string} protocol
 * @property {(data: Uint8Array<ArrayBuffer>) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 *
 * @typedef {new (url: string, protocols: string[]) => any} WebSocketConstructor Of what is a {@link Socket}.
 */

/** @import { CallboardError } from './error.js' */

export {};
