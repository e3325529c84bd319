// One WebSocket from its opening to its end: frames out, frames in, and who broke which rule. It has one session, and
// behind a bridge perhaps another when the broker is back. It knows nothing of channels, and it never comes back.

import { DecodeError } from './bytes.js';
import { CloseCode, Return, adviceOf, classOf, isOurs } from './close.js';
import { decodeServer, encodeClient } from './codec.js';
import { SOCKET_BYTES_MAX, SUBPROTOCOL } from './defaults.js';
import { CallboardError, report } from './error.js';
import { BODY_BYTES_MAX } from './limits.js';
import { Violation } from './recovery.js';

/** @import { Advice } from './close.js' */
/** @import { ClientFrame, Goodbye, Hello, ServerFrame, Socket, Suspended, Welcome } from './types.js' */

/**
 * How a session ended.
 * @typedef {object} End
 * @property {CallboardError} error Why.
 * @property {Advice} advice What coming back depends on.
 * @property {number | null} retryAfter How many milliseconds the broker wants to be left alone.
 */

/**
 * @typedef {object} Handlers
 * @property {() => void} heard The broker said something.
 * @property {(session: Session, welcome: Welcome) => void} welcome The session is open.
 * @property {(frame: ServerFrame) => void} frame A frame of the open session that is not the session's own affair.
 *   A {@link Violation} that it throws ends the session.
 * @property {(suspended: Suspended) => void} suspended The broker behind this bridge is away: the session is over, or
 *   was so already. Nothing is to be said until `resumed`.
 * @property {(session: Session) => void} resumed It is back, and waits for `greet`.
 * @property {(end: End) => void} end It is over, and not because `close` was called. Nothing follows.
 */

const REASON_BYTES_MAX = 123;

/** The `readyState` of a WebSocket from its closing on. */
const CLOSING = 2;

/** A session that is being opened or is open, and those that follow it on the same socket. */
export class Session {
  #socket;
  #hello;
  #handlers;
  /** @type {'dialing' | 'new' | 'open' | 'suspended' | 'resumed' | 'over'} */
  #phase = 'dialing';
  #lastRequest = 0;
  /** That of the last `Suspended`. */
  #nonce = 0;

  /**
   * @param {Socket} socket
   * @param {Hello} hello
   * @param {Handlers} handlers
   */
  constructor(socket, hello, handlers) {
    this.#socket = socket;
    this.#hello = hello;
    this.#handlers = handlers;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#read(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    // What follows it is `close`, and that tells more.
    socket.onerror = () => {};
  }

  /** How many bytes wait inside the socket. */
  get waitingBytes() {
    return this.#socket.bufferedAmount;
  }

  /** Whether the socket has begun to close and did not say so yet: nothing that is given to it now leaves. */
  get isClosing() {
    return this.#socket.readyState >= CLOSING;
  }

  /** Whether the broker behind this bridge is away. */
  get isSuspended() {
    return this.#phase === 'suspended';
  }

  /**
   * Sends a request and gives its number.
   * @param {(request: number) => ClientFrame} make
   */
  ask(make) {
    const request = this.nextRequest();
    this.send(make(request));
    return request;
  }

  /** A number for a request that is sent before any other. */
  nextRequest() {
    this.#lastRequest += 1;
    return this.#lastRequest;
  }

  /** @param {ClientFrame} frame */
  send(frame) {
    // Nothing follows Goodbye. Browsers complain to the page of what a closing socket is given.
    if (this.#phase !== 'over' && !this.isClosing) this.#socket.send(encodeClient(frame));
  }

  /**
   * Begins the session that follows `resumed`.
   * @param {Hello} hello
   */
  greet(hello) {
    if (this.#phase !== 'resumed') return;
    this.#phase = 'new';
    this.#lastRequest = 0;
    this.send(hello);
  }

  /**
   * Says goodbye and ends it. No handler is called any more.
   * @param {number} code
   * @param {string} sentence
   */
  close(code, sentence) {
    if (this.#phase === 'over') return;
    if (this.#phase !== 'dialing') this.send({ kind: 'Goodbye', code, sentence, retry_after: null });
    this.#leave(code, sentence);
  }

  /**
   * Closes without a goodbye: whoever is behind it comes back, and is waited for.
   * @param {string} sentence
   */
  part(sentence) {
    if (this.#phase !== 'over') this.#leave(CloseCode.Finished, sentence);
  }

  #opened() {
    if (this.#phase !== 'dialing') return;
    if (this.#socket.protocol !== SUBPROTOCOL) {
      return this.#fault(CloseCode.Malformed, `the server there does not speak ${SUBPROTOCOL}`);
    }
    this.#phase = 'new';
    this.send(this.#hello);
  }

  /** @param {unknown} data */
  #read(data) {
    if (this.#phase === 'over') return;
    try {
      this.#handlers.heard();
      if (!(typeof data === 'object' && data !== null && 'byteLength' in data)) {
        throw new DecodeError('Invalid', 'got a message that is not binary');
      }
      const bytes = new Uint8Array(/** @type {ArrayBuffer} */ (data));
      if (bytes.length > BODY_BYTES_MAX) return this.#fault(CloseCode.FrameTooLong, 'got a frame above the limit');
      this.#take(decodeServer(bytes));
    } catch (error) {
      if (error instanceof DecodeError) this.#fault(CloseCode.Malformed, error.message);
      else if (error instanceof Violation) this.#fault(CloseCode.OutOfOrder, error.message);
      else {
        // A fault of this package. The session's state cannot be trusted any more; the next one recovers.
        report(error);
        this.#fault(CloseCode.Internal, 'this client broke');
      }
    }
  }

  /** @param {ServerFrame} frame */
  #take(frame) {
    if (frame.kind === 'Goodbye') return this.#dismissed(frame);
    if (frame.kind === 'Suspended') return this.#suspended(frame);
    if (this.#phase === 'suspended') return this.#takeSuspended(frame);
    if (frame.kind === 'Resumed') throw new Violation('Resumed follows Suspended');
    if (frame.kind === 'Welcome') {
      if (this.#phase === 'open') throw new Violation('a session is opened once');
      if (this.#phase === 'resumed') throw new Violation('Welcome answers Hello');
      this.#phase = 'open';
      return this.#handlers.welcome(this, frame);
    }
    if (this.#phase !== 'open') throw new Violation('a session begins with Hello and its answer Welcome');
    if (frame.kind === 'Ping') return this.#pong(frame.nonce);
    if (frame.kind === 'Ok' || frame.kind === 'Failed') this.#judgeAnswer(frame.kind, frame.request);
    return this.#handlers.frame(frame);
  }

  /**
   * Every Ping is answered at once, but what the broker does not read is not piled up without end.
   * @param {number} nonce
   */
  #pong(nonce) {
    if (this.waitingBytes <= SOCKET_BYTES_MAX) return this.send({ kind: 'Pong', nonce });
    return this.#fault(CloseCode.TooSlow, 'the broker pings but does not read');
  }

  /**
   * "A client must refuse an answer to a number that it has not used" (PROTOCOL.md, "Session"). Only a publish that
   * wants no answer fails as request 0.
   * @param {'Ok' | 'Failed'} kind
   * @param {number} request
   */
  #judgeAnswer(kind, request) {
    if (request > this.#lastRequest || (request === 0 && kind === 'Ok')) {
      throw new Violation(`request ${request} was answered and never made`);
    }
  }

  /** @param {Goodbye} goodbye */
  #dismissed({ code, sentence, retry_after: retryAfter }) {
    this.#leave(CloseCode.Finished, '');
    const error = new CallboardError(code, classOf(code), sentence);
    this.#handlers.end({ error, advice: adviceOf(code), retryAfter });
  }

  /**
   * What was said and not answered is lost, and nothing more is said than that this was heard.
   * @param {Suspended} suspended
   */
  #suspended(suspended) {
    this.#phase = 'suspended';
    this.#nonce = suspended.nonce;
    this.#pong(suspended.nonce);
    // A bridge that does not read its answers was given up.
    if (this.isSuspended) this.#handlers.suspended(suspended);
  }

  /**
   * "Until `Resumed` […] the bridge nothing but `Ping`, `Suspended`, `Resumed` and `Goodbye`" (PROTOCOL.md, "Suspended
   * sessions").
   * @param {ServerFrame} frame
   */
  #takeSuspended(frame) {
    if (frame.kind === 'Ping') return this.#pong(frame.nonce);
    if (frame.kind !== 'Resumed') throw new Violation(`${frame.kind} came while the session is suspended`);
    if (frame.nonce !== this.#nonce) throw new Violation('Resumed has another nonce than the last Suspended');
    this.#phase = 'resumed';
    return this.#handlers.resumed(this);
  }

  /**
   * The broker broke a rule. One that does may be replaced by one that does not: come back, and never fast.
   * @param {number} code
   * @param {string} detail
   */
  #fault(code, detail) {
    this.close(code, detail);
    const error = new CallboardError(code, 'broker-at-fault', `the broker broke the protocol: ${detail}`);
    this.#handlers.end(later(error));
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    const wasDialing = this.#phase === 'dialing';
    this.#leave(CloseCode.Finished, '');
    this.#handlers.end({ error: errorOf(code, reason, wasDialing), advice: adviceOf(code), retryAfter: null });
  }

  /**
   * @param {number} code
   * @param {string} sentence
   */
  #leave(code, sentence) {
    this.#phase = 'over';
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      socket.close(code, shortened(sentence));
    } catch (error) {
      report(error);
    }
  }
}

/**
 * @param {number} code
 * @param {string} reason
 * @param {boolean} wasDialing
 */
function errorOf(code, reason, wasDialing) {
  if (isOurs(code)) return new CallboardError(code, classOf(code), reason || 'the broker ended the session');
  if (wasDialing) {
    const sentence = 'no WebSocket was opened: the broker is unreachable or refuses this page';
    return new CallboardError(0, 'unreachable', sentence);
  }
  return new CallboardError(0, 'lost', `the connection was lost (${code})`);
}

/**
 * As much of a sentence as a close frame has room for.
 * @param {string} sentence
 */
function shortened(sentence) {
  const { read } = new TextEncoder().encodeInto(sentence, new Uint8Array(REASON_BYTES_MAX));
  return sentence.slice(0, read);
}

/**
 * An end that says nothing of coming back.
 * @param {CallboardError} error
 * @returns {End}
 */
export function later(error) {
  return { error, advice: Return.Later, retryAfter: null };
}
