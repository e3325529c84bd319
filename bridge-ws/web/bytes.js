// Integers, texts and flags as bytes, in their one encoding; it knows no frame.

import { badRequest } from './error.js';
import { INTEGER_MAX } from './limits.js';

/**
 * What is wrong with a body, in the words of `protocol/vectors/malformed.json`.
 * @typedef {'Truncated' | 'Trailing' | 'Overlong' | 'Invalid'} Fault
 */

/** The peer sent bytes that are no frame. */
export class DecodeError extends Error {
  /**
   * @param {Fault} fault
   * @param {string} sentence
   */
  constructor(fault, sentence) {
    super(sentence);
    this.name = 'DecodeError';
    this.fault = fault;
  }
}

/** No integer needs more bytes, however wide: who sends more sends nothing that could be meant. */
const INTEGER_BYTES_READ = 10;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * The UTF-8 of a text.
 *
 * A lone surrogate has no UTF-8, and `TextEncoder` would silently send another text in its place.
 * @param {string} text
 */
export function utf8(text) {
  if (/\p{Surrogate}/u.test(text)) throw badRequest('a text has half of a surrogate pair, which UTF-8 cannot encode');
  return encoder.encode(text);
}

/** Reads a body from its beginning to its end. Every method throws {@link DecodeError} and nothing else. */
export class Reader {
  #bytes;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  byte() {
    if (this.#at >= this.#bytes.length) throw new DecodeError('Truncated', 'the body ends early');
    return this.#bytes[this.#at++];
  }

  /** @param {number} max */
  integer(max) {
    let value = 0;
    let unit = 1;
    for (let count = 1; count <= INTEGER_BYTES_READ; count += 1) {
      const byte = this.byte();
      // Beyond 2^53 the sum is rounded, and stays above every limit.
      value += (byte & 0x7f) * unit;
      unit *= 128;
      if (byte >= 0x80) continue;
      // "The shortest form only: the last byte is never 0, unless it is the only one" (PROTOCOL.md, "Integers").
      if (byte === 0 && count > 1) throw new DecodeError('Overlong', 'an integer is not in its shortest form');
      if (value > max) break;
      return value;
    }
    throw new DecodeError('Invalid', `an integer is above ${max}`);
  }

  flag() {
    const byte = this.byte();
    if (byte > 1) throw new DecodeError('Invalid', 'a flag is neither 0 nor 1');
    return byte === 1;
  }

  /**
   * A copy: what the page gets shares no memory with the frame that brought it.
   * @param {number} count
   */
  take(count) {
    return this.#view(count).slice();
  }

  text() {
    const bytes = this.#view(this.integer(INTEGER_MAX));
    try {
      return decoder.decode(bytes);
    } catch {
      throw new DecodeError('Invalid', 'a text is not UTF-8');
    }
  }

  /** Nothing may be left. */
  end() {
    if (this.#at < this.#bytes.length) throw new DecodeError('Trailing', 'the body has bytes left over');
  }

  /** @param {number} count */
  #view(count) {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new DecodeError('Truncated', 'the body ends early');
    const view = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return view;
  }
}

/** Gathers a body. What cannot be written is the caller's fault. */
export class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** What was written. */
  finish() {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param {number} byte */
  byte(byte) {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  /**
   * @param {number} value
   * @param {number} max
   */
  integer(value, max) {
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw badRequest(`${value} is not a whole number from 0 to ${max}`);
    }
    let rest = value;
    while (rest > 0x7f) {
      this.byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  /** @param {boolean} flag */
  flag(flag) {
    this.byte(flag ? 1 : 0);
  }

  /** @param {Uint8Array} bytes */
  raw(bytes) {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** @param {string} text */
  text(text) {
    const bytes = utf8(text);
    this.integer(bytes.length, INTEGER_MAX);
    this.raw(bytes);
  }

  /** @param {number} count */
  #reserve(count) {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
