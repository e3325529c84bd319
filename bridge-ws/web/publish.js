// Publishes between the page and the socket: the bounded queue, and what was sent and not yet acknowledged.
// A pure state; nothing here waits.

import { utf8 } from './bytes.js';
import { CallboardError, badRequest } from './error.js';
import { KEY_BYTES_MAX, PAYLOAD_BYTES_CEILING, UNACKNOWLEDGED_MAX } from './limits.js';
import { checkName } from './name.js';
import { toWire } from './payload.js';

/** @import { Draft, Position, Publish, WirePayload } from './types.js' */

/**
 * A publish that was checked and is on its way.
 * @typedef {object} Entry
 * @property {string} channel
 * @property {string | null} key
 * @property {WirePayload} payload
 * @property {number} bytes What it counts for in the queue.
 * @property {number} sequence Its number, or 0 if nobody waits for it.
 * @property {number} request This session's number for it, or 0.
 * @property {(position: Position) => void} resolve
 * @property {(error: CallboardError) => void} reject
 */

/** What a publish counts for in the queue beside its name, key and payload. */
const FRAME_BYTES = 16;

/** All publishes of a connection that are on their way. */
export class Publishes {
  #messagesMax;
  #bytesMax;
  #failsOffline;
  #payloadBytesMax = PAYLOAD_BYTES_CEILING;
  #isOnline = false;
  #lastSequence = 0;
  /** @type {Entry[]} Not yet sent, in the order of their calls. */
  #queue = [];
  #queueBytes = 0;
  /** @type {Entry[]} Sent and unanswered, in the order of their numbers; the first `#sent` of them in this session. */
  #unacknowledged = [];
  #sent = 0;

  /** @param {{ queueMessages: number, queueBytes: number, offline: 'queue' | 'fail' }} options */
  constructor({ queueMessages, queueBytes, offline }) {
    this.#messagesMax = queueMessages;
    this.#bytesMax = queueBytes;
    this.#failsOffline = offline === 'fail';
  }

  /** Whether nothing is on its way. */
  get isEmpty() {
    return this.#queue.length === 0 && this.#unacknowledged.length === 0;
  }

  /**
   * A session is open and takes payloads up to this size.
   * @param {number} payloadBytesMax
   */
  open(payloadBytesMax) {
    this.#isOnline = true;
    this.#payloadBytesMax = Math.min(payloadBytesMax, PAYLOAD_BYTES_CEILING);
  }

  /** The session is over. What was not answered is to be sent again, under the same numbers. */
  pause() {
    this.#isOnline = false;
    this.#sent = 0;
  }

  /**
   * Takes a publish that nobody waits for. Throws if it cannot be taken.
   * @param {Draft} draft
   */
  push(draft) {
    this.#admit({ ...this.#check(draft), sequence: 0, request: 0, resolve: () => {}, reject: () => {} });
  }

  /**
   * Takes a publish that somebody waits for. Rejects if it cannot be taken, or the broker refuses it.
   * @param {Draft} draft
   * @returns {Promise<Position>}
   */
  pushAcked(draft) {
    return new Promise((resolve, reject) => {
      this.#admit({ ...this.#check(draft), sequence: this.#lastSequence + 1, request: 0, resolve, reject });
      this.#lastSequence += 1;
    });
  }

  /**
   * The next publish to send in this session: first what was not answered in the one before, then the queue, in order.
   * @param {() => number} ask Gives a request's number, if one is needed.
   * @returns {Publish | null}
   */
  next(ask) {
    const unanswered = this.#unacknowledged[this.#sent];
    if (unanswered !== undefined) return this.#send(unanswered, ask);
    const head = this.#queue[0];
    if (head === undefined) return null;
    // "A client has at most 128 publishes with a sequence unanswered" (PROTOCOL.md, "Publishing again").
    if (head.sequence !== 0 && this.#unacknowledged.length >= UNACKNOWLEDGED_MAX) return null;
    this.#queue.shift();
    this.#queueBytes -= head.bytes;
    if (head.sequence === 0) return frameOf(head);
    this.#unacknowledged.push(head);
    return this.#send(head, ask);
  }

  /**
   * Takes the answer to a request. `false` if no publish waits for it.
   * @param {number} request
   * @param {Position | CallboardError} answer
   */
  answer(request, answer) {
    const index = this.#unacknowledged.findIndex((entry, index) => index < this.#sent && entry.request === request);
    if (index < 0) return false;
    const [entry] = this.#unacknowledged.splice(index, 1);
    this.#sent -= 1;
    if (answer instanceof CallboardError) entry.reject(answer);
    else entry.resolve(answer);
    return true;
  }

  /**
   * Gives all of them up. Says whether somebody waited for each one.
   * @param {CallboardError} error
   */
  clear(error) {
    const gone = [...this.#unacknowledged, ...this.#queue];
    this.#unacknowledged = [];
    this.#queue = [];
    this.#queueBytes = 0;
    this.#sent = 0;
    for (const entry of gone) entry.reject(error);
    return gone.every(({ sequence }) => sequence !== 0);
  }

  /** @param {Draft} draft */
  #check({ channel, payload: given, key = null, kind }) {
    checkName(channel);
    if (key !== null && typeof key !== 'string') throw badRequest("a message's key must be a string");
    const keyBytes = key === null ? 0 : utf8(key).length;
    if (keyBytes > KEY_BYTES_MAX) {
      throw badRequest(`a message's key has at most ${KEY_BYTES_MAX} bytes, this one has ${keyBytes}`);
    }
    const { payload, bytes } = toWire(given, kind);
    if (bytes > this.#payloadBytesMax) {
      const sentence = `the payload has ${bytes} bytes, the broker accepts ${this.#payloadBytesMax}`;
      throw new CallboardError(413, 'payload-too-large', sentence);
    }
    return { channel, key, payload, bytes: FRAME_BYTES + channel.length + keyBytes + bytes };
  }

  /** @param {Entry} entry */
  #admit(entry) {
    if (this.#failsOffline && !this.#isOnline) {
      throw new CallboardError(503, 'offline', 'there is no session, and this connection does not queue publishes');
    }
    // An empty queue takes any one publish, so that no legal payload waits for ever.
    const fits = this.#queue.length === 0
      || (this.#queue.length < this.#messagesMax && this.#queueBytes + entry.bytes <= this.#bytesMax);
    if (!fits) throw new CallboardError(503, 'queue-full', 'too many publishes wait to be sent; try again later');
    this.#queue.push(entry);
    this.#queueBytes += entry.bytes;
  }

  /**
   * @param {Entry} entry
   * @param {() => number} ask
   */
  #send(entry, ask) {
    entry.request = ask();
    this.#sent += 1;
    return frameOf(entry);
  }
}

/**
 * @param {Entry} entry
 * @returns {Publish}
 */
function frameOf({ request, sequence, channel, key, payload }) {
  return { kind: 'Publish', request, sequence, channel, key, payload };
}
