// What a page publishes and hears, as it travels: text, JSON or bytes. It looks at nothing else of a message.

import { utf8 } from './bytes.js';
import { badRequest } from './error.js';

/** @import { Message, WirePayload } from './types.js' */

/**
 * A payload as it travels, with its size in bytes.
 * @param {any} payload
 * @param {'text' | 'json' | 'binary' | undefined} kind
 * @returns {{ payload: WirePayload, bytes: number }}
 */
export function toWire(payload, kind = kindOf(payload)) {
  switch (kind) {
    case 'text':
      if (typeof payload !== 'string') throw badRequest('a text payload must be a string');
      return { payload: { kind, text: payload }, bytes: utf8(payload).length };
    case 'json': {
      const json = stringify(payload);
      return { payload: { kind, json }, bytes: utf8(json).length };
    }
    case 'binary': {
      const bytes = copyOf(payload);
      return { payload: { kind, bytes }, bytes: bytes.length };
    }
    default:
      throw badRequest('the kind of a payload must be text, json or binary');
  }
}

/**
 * What listeners get for a payload. JSON that does not parse is given as the text that it is, with the reason.
 * @param {WirePayload} payload
 * @returns {Pick<Message, 'kind' | 'payload' | 'error'>}
 */
export function fromWire(payload) {
  switch (payload.kind) {
    case 'text':
      return { kind: payload.kind, payload: payload.text, error: null };
    case 'binary':
      return { kind: payload.kind, payload: payload.bytes, error: null };
    case 'json':
      try {
        return { kind: payload.kind, payload: JSON.parse(payload.json), error: null };
      } catch (error) {
        // "That `json` parses is the publisher's promise: a reader must be ready for one that does not."
        return { kind: payload.kind, payload: payload.json, error: /** @type {Error} */ (error) };
      }
  }
}

/**
 * A message's payload as one text, whatever it is: JSON as JSON has it, bytes as UTF-8.
 * @param {Message} message
 * @returns {string}
 */
export function textOf({ kind, payload, error }) {
  // What did not parse is its text, and so is what a transform made one.
  if (typeof payload === 'string' && (kind !== 'json' || error !== null)) return payload;
  if (ArrayBuffer.isView(payload)) return new TextDecoder().decode(payload);
  return JSON.stringify(payload) ?? '';
}

/**
 * The data of a failure, for programs.
 * @param {WirePayload | null} data
 */
export function dataOf(data) {
  return data === null ? undefined : fromWire(data).payload;
}

/** @param {unknown} payload */
function kindOf(payload) {
  if (typeof payload === 'string') return 'text';
  return isBuffer(payload) || ArrayBuffer.isView(payload) ? 'binary' : 'json';
}

/**
 * Whether it is a buffer, of this page or of another frame, whose classes are others.
 * @param {unknown} payload
 * @returns {payload is ArrayBuffer | SharedArrayBuffer}
 */
function isBuffer(payload) {
  return ['ArrayBuffer', 'SharedArrayBuffer'].includes(tagOf(payload));
}

/** @param {unknown} payload The name that it gives itself, as `Map` or `Promise`. */
function tagOf(payload) {
  return Object.prototype.toString.call(payload).slice('[object '.length, -1);
}

/** @param {unknown} payload */
function stringify(payload) {
  let json;
  try {
    json = JSON.stringify(payload);
  } catch (error) {
    throw badRequest('the payload cannot be encoded as JSON', error);
  }
  if (json === undefined) throw badRequest(`a payload of type ${typeof payload} cannot be encoded as JSON`);
  if (json === '{}') checkEmpty(/** @type {object} */ (payload));
  return json;
}

/**
 * JSON has `{}` for whatever keeps its content elsewhere: publishing that would lose it without a word.
 * @param {object} payload
 */
function checkEmpty(payload) {
  const prototype = Object.getPrototypeOf(payload);
  // A plain object is one whatever page it comes from; what says itself what it is in JSON may say this.
  if (prototype === null || Object.getPrototypeOf(prototype) === null || 'toJSON' in payload) return;
  if ('then' in payload) throw badRequest('the payload is a promise: `await` it first');
  if ('arrayBuffer' in payload) throw badRequest('read a file first: `await blob.arrayBuffer()`');
  const name = payload.constructor?.name ?? tagOf(payload);
  throw badRequest(`a payload of type ${name} becomes {} in JSON: publish a plain object or an array instead`);
}

/**
 * A copy, since the page may go on writing to its own.
 * @param {unknown} payload
 */
function copyOf(payload) {
  if (isBuffer(payload)) return new Uint8Array(payload).slice();
  if (!ArrayBuffer.isView(payload)) throw badRequest('a binary payload must be an ArrayBuffer or a view of one');
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength).slice();
}

/**
 * How large it is, about.
 * @param {WirePayload} payload
 */
export function bytesOf(payload) {
  switch (payload.kind) {
    case 'text': return payload.text.length;
    case 'json': return payload.json.length;
    case 'binary': return payload.bytes.length;
  }
}
