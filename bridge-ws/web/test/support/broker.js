// A broker that says what the test tells it to, at the other end of sockets that are no sockets; it judges what it hears.

import assert from 'node:assert/strict';

import { decodeClient, decodeServer, encodeServer } from '../../codec.js';
import { connect } from '../../index.js';
import { FakeClock, settled } from './clock.js';
import { FromClient } from './judge.js';

export const EPOCH = 77;

/**
 * A client of a scripted broker: `{ client, broker, clock, page }`.
 * @param {import('../../types.js').Options} options
 */
export function setUp(options = {}) {
  const clock = new FakeClock();
  const broker = new Broker();
  const page = fakePage();
  const all = { shared: false, clock, page, WebSocket: broker.WebSocket, ...options };
  return { client: connect('ws://broker.test/v1/bus', all), broker, clock, page };
}

/**
 * The same with an open session.
 * @param {import('../../types.js').Options} options
 */
export async function setUpOnline(options = {}) {
  const all = setUp(options);
  const session = all.client.open();
  await all.broker.welcome();
  return { ...all, session: await session };
}

export function fakePage() {
  return { window: new EventTarget(), document: Object.assign(new EventTarget(), { visibilityState: 'visible' }) };
}

export class Broker {
  /** Every socket that was opened, in order. */
  sockets = [];

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url, protocols) {
        super(url, protocols);
        sockets.push(this);
      }
    };
  }

  /** The socket that was opened last. */
  get socket() {
    const socket = this.sockets.at(-1);
    assert.ok(socket, 'a socket was opened');
    return socket;
  }

  /** Opens the session on the last socket. */
  async welcome(welcome = {}) {
    await settled();
    this.socket.accept();
    return this.welcomeAgain(welcome);
  }

  /** Opens a session on a socket that was opened before. */
  async welcomeAgain(welcome = {}) {
    const { socket } = this;
    const hello = socket.hear('Hello');
    socket.say({
      kind: 'Welcome', agent: 'scripted/1', connection: 1, capabilities: 0, payload_bytes_max: 65536, subscriptions_max: 128,
      ping_interval: 0, identity: null, ...welcome,
    });
    await settled();
    return hello;
  }

  say(frame) {
    this.socket.say(frame);
  }

  /** As a bridge whose broker is away; hears that it was heard. */
  suspend(nonce, { sentence = 'the broker is away', retryAfter = null } = {}) {
    this.say({ kind: 'Suspended', nonce, sentence, retry_after: retryAfter });
    assert.equal(this.hear('Pong').nonce, nonce);
  }

  /** The next frame that was heard, which must be of this kind. */
  hear(kind) {
    return this.socket.hear(kind);
  }

  hearsNothing() {
    assert.deepEqual(this.socket.heard, []);
  }

  /** Hears `Subscribe`: a channel is asked for behind the turn in which it was wanted. */
  async asked() {
    await settled();
    return this.hear('Subscribe');
  }

  /** Hears `Subscribe` and answers it. */
  async subscribed({ number = 1, offset = 10, next = offset + 1, recovered = true, epoch = EPOCH } = {}) {
    const subscribe = await this.asked();
    const answer = { kind: 'Subscribed', channel: number, position: { epoch, offset }, next, recovered };
    this.say({ kind: 'Ok', request: subscribe.request, answer });
    await settled();
    return subscribe;
  }

  message(offset, text, number = 1) {
    this.say({
      kind: 'Message', channel: number, offset, published: 1_770_000_000_000, publisher: null, key: null,
      payload: typeof text === 'string' ? { kind: 'text', text } : text,
    });
  }

  ok(request, answer = { kind: 'Done' }) {
    this.say({ kind: 'Ok', request, answer });
  }

  published(request, offset) {
    this.ok(request, { kind: 'Published', position: { epoch: EPOCH, offset } });
  }

  failed(request, code, name, data = null) {
    this.say({ kind: 'Failed', request, code, class: name, sentence: `no: ${name}`, data });
  }

  goodbye(code, { sentence = 'bye', retryAfter = null } = {}) {
    this.say({ kind: 'Goodbye', code, sentence, retry_after: retryAfter });
  }
}

class FakeSocket {
  binaryType = 'blob';
  bufferedAmount = 0;
  readyState = 0;
  protocol = '';
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  /** What the client said and the test did not hear yet. */
  heard = [];
  /** How the client closed it: `{ code, reason }`. */
  closed = null;
  #isOpen = false;
  #judge = new FromClient();

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(bytes) {
    assert.ok(this.#isOpen, 'a frame is sent when the socket is open');
    const frame = decodeClient(bytes);
    this.#judge.judge(frame);
    this.heard.push(frame);
  }

  close(code = 1000, reason = '') {
    // As RFC 6455 and the browsers have it.
    assert.ok(code === 1000 || (code >= 3000 && code < 5000));
    assert.ok(Buffer.byteLength(reason) <= 123);
    this.closed ??= { code, reason };
    this.readyState = 2;
    this.#isOpen = false;
  }

  accept(protocol = 'callboard.v1') {
    assert.equal(this.binaryType, 'arraybuffer');
    this.protocol = protocol;
    this.readyState = 1;
    this.#isOpen = true;
    this.onopen?.({});
  }

  say(frame) {
    this.#judge.hear(frame);
    this.#sayBytes(encodeServer(frame));
  }

  /** Says what may be no frame. */
  sayBytes(bytes) {
    try {
      this.#judge.hear(decodeServer(bytes));
    } catch {
      // What is no frame ends no session and begins none.
    }
    this.#sayBytes(bytes);
  }

  #sayBytes(bytes) {
    this.sayData(Uint8Array.from(bytes).buffer);
  }

  sayData(data) {
    this.onmessage?.({ data });
  }

  /** The connection ends; 1006 is how a browser says that it broke. */
  drop(code = 1006, reason = '') {
    this.readyState = 3;
    this.#isOpen = false;
    this.onerror?.({});
    this.onclose?.({ code, reason });
  }

  hear(kind) {
    const frame = this.heard.shift();
    assert.equal(frame?.kind, kind);
    return frame;
  }
}

/** A listener that keeps what it was called with, as `calls`, and of that the `payloads`, in order. */
export function listener() {
  const calls = [];
  const payloads = [];
  const keep = (payload, channel, message) => {
    calls.push({ payload, channel, message });
    payloads.push(payload);
  };
  return Object.assign(keep, { calls, payloads });
}

/** Lets the pause pass that the client makes, and opens the next session. */
export async function comeBack({ client, broker, clock }) {
  assert.equal(client.state.name, 'waiting');
  await clock.advance(client.state.retryAt - clock.time);
  return broker.welcome();
}

/** Catches what is reported while `action` runs. */
export async function reported(action) {
  const errors = [];
  const { reportError } = globalThis;
  globalThis.reportError = (error) => errors.push(error);
  try {
    await action();
  } finally {
    globalThis.reportError = reportError;
  }
  return errors;
}
