// Every frame of PROTOCOL.md as a table, and its one encoding both ways; it knows no order of frames and no limit.

import { DecodeError, Reader, Writer } from './bytes.js';
import { INTEGER_MAX, U16_MAX, U32_MAX } from './limits.js';

/** @import { ClientFrame, ServerFrame } from './types.js' */

/**
 * How a value stands in a body.
 * @template T
 * @typedef {object} Type
 * @property {(reader: Reader) => T} read
 * @property {(writer: Writer, value: T) => void} write
 */

/** @type {Type<boolean>} */
const bool = { read: (reader) => reader.flag(), write: (writer, flag) => writer.flag(flag) };

/** @type {Type<string>} */
const text = { read: (reader) => reader.text(), write: (writer, value) => writer.text(value) };

/** @type {Type<Uint8Array>} */
const bytes = {
  read: (reader) => reader.take(reader.integer(INTEGER_MAX)),
  write: (writer, value) => {
    writer.integer(value.length, INTEGER_MAX);
    writer.raw(value);
  },
};

/** @type {Type<Uint8Array>} */
const sixteenBytes = { read: (reader) => reader.take(16), write: (writer, value) => writer.raw(value) };

const integer = upTo(INTEGER_MAX);
const u32 = upTo(U32_MAX);
const u16 = upTo(U16_MAX);

const payload = choice([
  ['text', { text }],
  ['json', { json: text }],
  ['binary', { bytes }],
]);
const position = part({ epoch: integer, offset: integer });
const credential = part({ strategy: text, secret: text });
const identity = part({ strategy: text, key: text });
const start = choice([
  ['Live', {}],
  ['Recover', { position }],
  ['Rewind', { messages: u32 }],
]);
const answer = choice([
  ['Done', {}],
  ['Subscribed', { channel: integer, position, next: integer, recovered: bool }],
  ['Published', { position }],
  ['Identity', { identity: option(identity) }],
  ['Returned', { payload }],
]);
const failure = { code: u16, class: text, sentence: text, data: option(payload) };
const outcome = choice([
  ['Returned', { payload }],
  ['Failed', failure],
]);
const goodbye = { code: u16, sentence: text, retry_after: option(integer) };

/** @type {Type<ClientFrame>} */
const clientFrame = choice([
  ['Hello', { agent: text, instance: sixteenBytes, capabilities: u32, credential: option(credential) }],
  ['Goodbye', goodbye],
  ['Pong', { nonce: integer }],
  ['Authenticate', { request: integer, credential }],
  ['Logout', { request: integer }],
  ['Subscribe', { request: integer, channel: text, start, options: u32 }],
  ['Unsubscribe', { request: integer, channel: text }],
  ['Publish', { request: integer, sequence: integer, channel: text, key: option(text), payload }],
  ['Call', { request: integer, service: text, method: text, arguments: payload }],
  ['Provide', { request: integer, service: text }],
  ['Withdraw', { request: integer, service: text }],
  ['Return', { call: integer, outcome }],
  ['Emit', { request: integer, service: text, event: text, payload }],
  ['Introduce', {
    address: sixteenBytes, origin: option(text), credential: option(credential), private: bool, ping_interval: integer,
    publishes: u32,
  }],
]);

/** @type {Type<ServerFrame>} */
const serverFrame = choice([
  ['Welcome', {
    agent: text, connection: integer, capabilities: u32, payload_bytes_max: u32, subscriptions_max: u32,
    ping_interval: integer, identity: option(identity),
  }],
  ['Goodbye', goodbye],
  ['Ping', { nonce: integer }],
  ['Ok', { request: integer, answer }],
  ['Failed', { request: integer, ...failure }],
  ['Named', { channel: integer, name: text, position }],
  ['Message', {
    channel: integer, offset: integer, published: integer, publisher: option(text), key: option(text), payload,
  }],
  ['Skipped', { channel: integer, through: integer }],
  ['Reset', { channel: integer, position }],
  ['Membership', { name: text, member: bool }],
  ['Event', { channel: integer, offset: integer, id: integer, service: text, event: text, payload }],
  ['Invoke', { call: integer, service: text, method: text, caller: option(identity), arguments: payload }],
  ['Suspended', { nonce: integer, sentence: text, retry_after: option(integer) }],
  ['Resumed', { nonce: integer }],
]);

/**
 * What a client says, as a body.
 * @param {ClientFrame} frame
 */
export function encodeClient(frame) {
  return encode(clientFrame, frame);
}

/**
 * What a client said. Throws {@link DecodeError} and nothing else.
 * @param {Uint8Array} body
 */
export function decodeClient(body) {
  return decode(clientFrame, body);
}

/**
 * What a broker says, as a body.
 * @param {ServerFrame} frame
 */
export function encodeServer(frame) {
  return encode(serverFrame, frame);
}

/**
 * What a broker said. Throws {@link DecodeError} and nothing else.
 * @param {Uint8Array} body
 */
export function decodeServer(body) {
  return decode(serverFrame, body);
}

/**
 * @template T
 * @param {Type<T>} type
 * @param {T} value
 */
function encode(type, value) {
  const writer = new Writer();
  type.write(writer, value);
  return writer.finish();
}

/**
 * @template T
 * @param {Type<T>} type
 * @param {Uint8Array} body
 */
function decode(type, body) {
  const reader = new Reader(body);
  const value = type.read(reader);
  reader.end();
  return value;
}

/**
 * An integer with a limit.
 * @param {number} max
 * @returns {Type<number>}
 */
function upTo(max) {
  return { read: (reader) => reader.integer(max), write: (writer, value) => writer.integer(value, max) };
}

/**
 * A value that may be absent: `null`.
 * @template T
 * @param {Type<T>} type
 * @returns {Type<T | null>}
 */
function option(type) {
  return {
    read: (reader) => (reader.flag() ? type.read(reader) : null),
    write: (writer, value) => {
      writer.flag(value !== null);
      if (value !== null) type.write(writer, value);
    },
  };
}

/**
 * Fields, one behind the other.
 * @param {Record<string, Type<any>>} fields
 * @returns {Type<any>}
 */
function part(fields) {
  const list = Object.entries(fields);
  return {
    read: (reader) => readInto({}, list, reader),
    write: (writer, value) => writeFrom(value, list, writer),
  };
}

/**
 * One of several kinds: its number, then its fields.
 * @param {[kind: string, fields: Record<string, Type<any>>][]} kinds
 * @returns {Type<any>}
 */
function choice(kinds) {
  const lists = kinds.map(([kind, fields]) => ({ kind, list: Object.entries(fields) }));
  const numbers = new Map(kinds.map(([kind], number) => [kind, number]));
  return {
    read: (reader) => {
      const chosen = lists[reader.integer(U32_MAX)];
      if (chosen === undefined) throw new DecodeError('Invalid', 'a choice has a number that nothing has');
      return readInto({ kind: chosen.kind }, chosen.list, reader);
    },
    write: (writer, value) => {
      const number = numbers.get(value.kind);
      if (number === undefined) throw new TypeError(`nothing is called ${value.kind}`);
      writer.integer(number, U32_MAX);
      writeFrom(value, lists[number].list, writer);
    },
  };
}

/**
 * @param {Record<string, unknown>} value
 * @param {[name: string, type: Type<any>][]} list
 * @param {Reader} reader
 */
function readInto(value, list, reader) {
  for (const [name, type] of list) value[name] = type.read(reader);
  return value;
}

/**
 * @param {Record<string, unknown>} value
 * @param {[name: string, type: Type<any>][]} list
 * @param {Writer} writer
 */
function writeFrom(value, list, writer) {
  for (const [name, type] of list) type.write(writer, value[name]);
}
