// What a part of a page holds of the bus. It does no work itself: all parts of the page share one connection.

import { addressOf } from './address.js';
import { Connection } from './connection.js';
import { badRequest, closed } from './error.js';
import { resolveOptions } from './options.js';
import { oneOffChannel } from './random.js';
import { stateOf } from './state.js';

/** @import { CallboardError } from './error.js' */
/** @import { ResolvedOptions } from './options.js' */
/** @import { Draft, Gap, Identity, Listener, Options, Position, PublishOptions, SessionInfo, State, SubscribeOptions,
 *    Transforms, Unsubscribe } from './types.js' */

/**
 * Where the page keeps its connections by URL, also for other copies of this package. The number is that of what
 * {@link Connection} offers: a copy with another one has connections of its own.
 */
const REGISTRY = Symbol.for('callboard.connections.1');

/**
 * Begins to use the broker at a URL. Nothing is opened before something needs a session: a subscription, a publish or
 * {@link Client.open}. Where none can be opened, as on a server that renders a page, such a need ends with an error of
 * class `no-websocket` or `no-page`, told by its promise, `onEnd` or `onError` and {@link Client.state}, never thrown.
 *
 * Every call for one URL shares one WebSocket, whichever copy of this package it comes from; the first call's options
 * hold until the last of these clients is closed. But:
 *
 * - A `credential` other than the first one's has a connection of its own: nobody acts as somebody else. Only where the
 *   broker refused the one before, it takes that one's place.
 * - A `getToken` holds until the client that brought it is closed. Where there is none, or the broker has closed the
 *   connection for good, the next call that brings one asks for another session with it, as {@link Client.reconnect}
 *   does.
 *
 * Without a URL the broker is at `/v1/bus` on the page's own origin.
 * @param {string | URL} [url] `wss:`, `ws:`, `https:`, `http:` or relative.
 * @param {Options} [options]
 * @returns {Client}
 */
export function connect(url, options = {}) {
  checkOptions(options);
  const address = addressOf(url);
  const resolved = resolveOptions(options);
  const connection = options.shared === false ? new Connection(address, resolved) : sharedConnection(address, resolved);
  return new Client(connection, resolved);
}

/**
 * @param {string} address
 * @param {ResolvedOptions} resolved
 */
function sharedConnection(address, resolved) {
  const registry = connections();
  const all = [...registry.get(address) ?? []].filter(({ isOver }) => !isOver);
  let connection = all.find((one) => one.shows(resolved)) ?? all.find((one) => one.wantsCredential);
  if (connection === undefined) {
    connection = new Connection(address, resolved);
    all.push(connection);
  } else if (resolved.getToken ? connection.wantsToken : resolved.credential && connection.state.name === 'closed') {
    connection.renew(resolved);
  }
  registry.set(address, all);
  return connection;
}

/** A part of a page's way to the broker. */
export class Client {
  #connection;
  #resolved;
  /** What is undone when it closes. @type {Set<() => void>} */
  #undo = new Set();
  /** Keeps a session open, once `open` was called. @type {(() => void) | null} */
  #letGo = null;
  /** How it left the connection, once it is closed. @type {State | null} */
  #end = null;

  /**
   * @param {Connection} connection
   * @param {ResolvedOptions} resolved What it was asked for with.
   */
  constructor(connection, resolved) {
    this.#connection = connection;
    this.#resolved = resolved;
    connection.retain();
  }

  /** How the connection is doing. @returns {State} */
  get state() {
    return this.#end ?? this.#connection.state;
  }

  /**
   * Whom the broker took this page for when it last said so: `null` is anonymous, `undefined` is not known yet. For
   * names of private channels, and nothing that must be safe: the broker decides who may do what.
   *
   * It stays while there is no session, so that private channels keep their places: while `closed`, too, as when the
   * broker lets nobody in after a logout. Who is there now is told by `state.session`.
   * @returns {Identity | null | undefined}
   */
  get identity() {
    return this.#connection.identity;
  }

  /**
   * Calls a listener with each message of a channel, in order, from the next one on. However many listeners a channel
   * has, it is subscribed once; after a lost connection it goes on where it was, or `onGap` hears what is missing.
   *
   * Listeners that share a channel must agree on `excludeOwn`. Those of one turn are asked for together, with the
   * largest `rewind`; who comes later gets what was kept for others, up to 256 messages, and its `onGap` hears what
   * that lacks, as `late`.
   *
   * Throws a {@link CallboardError} where that cannot be, as with `bad-channel-name` or `already-subscribed`. What the
   * broker refuses later, `onEnd` hears. On a connection that the broker has closed for good it waits, as all others
   * do, until the page asks for another session ({@link Client.reconnect}).
   * @param {string} channel
   * @param {Listener} listener
   * @param {SubscribeOptions} [options]
   * @returns {Unsubscribe} Call it to end the subscription.
   */
  subscribe(channel, listener, options = {}) {
    this.#check();
    checkOptions(options);
    const connection = this.#connection;
    const member = connection.subscribe(channel, listener, options);
    const leave = this.#toUndo(() => connection.unsubscribe(member));
    member.onGone = leave;
    return Object.assign(leave, { ready: member.ready });
  }

  /**
   * Publishes a message and does not wait for the broker. It may be lost without a word if the connection breaks just
   * then: use {@link Client.publishAcked} where that matters. What the broker refuses, {@link Client.onError} hears.
   *
   * Throws a {@link CallboardError} if it cannot be taken, as with `offline` or `queue-full`; nothing was published
   * then.
   * @param {string} channel
   * @param {any} payload A string, bytes, or anything that JSON can say.
   * @param {PublishOptions} [options]
   */
  publish(channel, payload, options) {
    this.#check();
    this.#connection.publish(draftOf(channel, payload, options));
  }

  /**
   * Publishes a message and resolves to its place in the channel when the broker has it. Over a lost connection it is
   * sent again under the same number, and stored once.
   *
   * Rejects with a {@link CallboardError}; only after `closed` it may have been published all the same. A broker need
   * not remember the numbers of a page that was away for more than two minutes: what was on its way may then be stored
   * twice. If an outgoing transform answers, it resolves to that.
   * @param {string} channel
   * @param {any} payload A string, bytes, or anything that JSON can say.
   * @param {PublishOptions} [options]
   * @returns {Promise<Position>}
   */
  async publishAcked(channel, payload, options) {
    this.#check();
    return this.#connection.publishAcked(draftOf(channel, payload, options));
  }

  /**
   * A channel name that nobody else has: for one answer, one progress bar. Whoever is told it can publish there.
   * @returns {string}
   */
  oneOffChannel() {
    return oneOffChannel();
  }

  /**
   * Opens a session though nothing needs one yet, as to learn {@link Client.identity}, and keeps it until this client
   * is closed. Resolves when there is one; rejects if the connection closed for good, or this client before that, or if
   * none can be opened here at all.
   * @returns {Promise<SessionInfo>}
   */
  async open() {
    this.#check();
    this.#letGo ??= this.#toUndo(this.#connection.hold());
    return new Promise((resolve, reject) => {
      const look = (/** @type {State} */ { name, session, reason }) => {
        if (name === 'online' && session !== null) resolve(session);
        else if (name === 'closed') reject(closed(reason));
        else if (name === 'idle' && reason !== null) this.#giveUp(reason, reject);
        else return;
        leave();
      };
      const unwatch = this.#connection.states.add(look);
      const leave = this.#toUndo(() => {
        unwatch();
        reject(closed(null));
      });
      look(this.state);
    });
  }

  /**
   * Ends the session and opens another one, for which `getToken` is asked anew: after a login or a logout, or because
   * a visitor wants to try now. It is the way back, too, after the broker closed the connection for good. Every part of
   * the page goes on in it, each channel where it was. Nothing is opened that nothing needs.
   *
   * What was published and is not yet sent or acknowledged goes out in the next session, as whoever the page is then:
   * await {@link Client.publishAcked} before a logout. {@link Client.identity} stays until the broker says another one.
   */
  reconnect() {
    this.#check();
    this.#connection.renew();
  }

  /**
   * Keeps a session open though nothing needs one, until the answer is called.
   * @returns {() => void}
   */
  hold() {
    this.#check();
    return this.#toUndo(this.#connection.hold());
  }

  /**
   * Adds transforms behind those that are there, for the whole connection.
   * @param {Transforms} transforms
   * @returns {() => void} Call it to take them out again.
   */
  use(transforms) {
    this.#check();
    checkOptions(transforms);
    return this.#toUndo(this.#connection.use(transforms));
  }

  /**
   * Hears of every change of {@link Client.state}.
   * @param {(state: State) => unknown} listener
   * @returns {() => void} Call it to hear no more.
   */
  onState(listener) {
    this.#check();
    return this.#toUndo(this.#connection.states.add(listener));
  }

  /**
   * Hears where messages of any channel of the page are missing.
   * @param {(gap: Gap) => unknown} listener
   * @returns {() => void} Call it to hear no more.
   */
  onGap(listener) {
    this.#check();
    return this.#toUndo(this.#connection.gaps.add(listener));
  }

  /**
   * Hears what the broker refused and nobody waits for: publishes, subscriptions without `onEnd`, and the whole
   * connection (`closed`). Without such a listener it goes to the console.
   * @param {(error: CallboardError) => unknown} listener
   * @returns {() => void} Call it to hear no more.
   */
  onError(listener) {
    this.#check();
    return this.#toUndo(this.#connection.errors.add(listener));
  }

  /**
   * Ends what this client subscribed and watches. The last client of a connection closes it: what is on its way is
   * given a while to be answered, then the broker is told goodbye, and the promise resolves. A second call does
   * nothing. Its own listeners hear no more, not of this either.
   * @returns {Promise<void>}
   */
  async close() {
    if (this.#end !== null) return;
    const { state } = this.#connection;
    this.#end = state.name === 'closed' ? state : stateOf('closed', { reason: closed(null) });
    for (const undo of [...this.#undo]) undo();
    await this.#connection.release(this.#resolved);
  }

  /**
   * No session can be opened here.
   * @param {CallboardError} error
   * @param {(error: CallboardError) => void} reject
   */
  #giveUp(error, reject) {
    reject(error);
    this.#letGo?.();
    this.#letGo = null;
  }

  #check() {
    if (this.#end !== null) throw closed(null);
  }

  /**
   * Something to be undone once: by whom it was done for, or when the client closes.
   * @param {() => void} undo
   */
  #toUndo(undo) {
    const once = () => {
      if (this.#undo.delete(once)) undo();
    };
    this.#undo.add(once);
    return once;
  }
}

/**
 * @param {string} channel
 * @param {any} payload
 * @param {PublishOptions} [options]
 * @returns {Draft}
 */
function draftOf(channel, payload, options = {}) {
  checkOptions(options);
  const { key, kind } = options;
  return { channel, payload, key: key ?? null, kind };
}

/** @param {unknown} options */
function checkOptions(options) {
  if (typeof options !== 'object' || options === null) throw badRequest('the options must be an object');
}

/** @returns {Map<string, Connection[]>} */
function connections() {
  const page = /** @type {any} */ (globalThis);
  page[REGISTRY] ??= new Map();
  return page[REGISTRY];
}
