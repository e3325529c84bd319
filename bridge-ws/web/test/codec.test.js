// The codec reads and writes the golden bytes exactly, and refuses everything else with its own error.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DecodeError, Reader, Writer } from '../bytes.js';
import { decodeClient, decodeServer, encodeClient, encodeServer } from '../codec.js';
import { CallboardError } from '../error.js';
import { INTEGER_MAX } from '../limits.js';
import { FRAMES, MALFORMED, chance, mutated } from './support/vectors.js';

const CODECS = {
  client: { encode: encodeClient, decode: decodeClient },
  server: { encode: encodeServer, decode: decodeServer },
};
const SEED = 20_260_214;
const ROUNDS = 40_000;

test('every golden body is read as its frame', () => {
  for (const { name, direction, body, frame } of FRAMES) {
    assert.deepEqual(CODECS[direction].decode(body), frame, name);
  }
});

test('every frame is written as its golden body', () => {
  for (const { name, direction, body, frame } of FRAMES) {
    assert.deepEqual(CODECS[direction].encode(frame), body, name);
  }
});

test('every malformed body is refused for its own fault', () => {
  const bodies = MALFORMED.filter(({ direction }) => direction in CODECS);
  assert.ok(bodies.length > 50);
  for (const { name, direction, body, error } of bodies) {
    assert.throws(() => CODECS[direction].decode(body), { name: 'DecodeError', fault: error }, name);
  }
});

test('every beginning of a golden body is refused, and so is every byte behind one', () => {
  for (const { name, direction, body } of FRAMES) {
    const { decode } = CODECS[direction];
    for (let length = 0; length < body.length; length += 1) {
      assert.throws(() => decode(body.slice(0, length)), { fault: 'Truncated' }, `${name}, ${length} bytes`);
    }
    assert.throws(() => decode(Uint8Array.from([...body, 0])), { fault: 'Trailing' }, name);
  }
});

test('mutated bodies are refused by a DecodeError, or are the one encoding of what they say', () => {
  const dice = chance(SEED);
  let accepted = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { body, direction } = FRAMES[dice.below(FRAMES.length)];
    const mutant = mutated(body, dice);
    const { decode, encode } = CODECS[direction];
    let frame;
    try {
      frame = decode(mutant);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `${Buffer.from(mutant).toString('hex')}: ${error.stack}`);
      continue;
    }
    accepted += 1;
    assert.deepEqual(encode(frame), mutant);
  }
  assert.ok(accepted > ROUNDS / 20, 'some mutants are frames, or the second law was not looked at');
});

test('integers have one encoding, up to the largest', () => {
  for (const value of [0, 1, 127, 128, 300, 16383, 16384, 2 ** 31, 2 ** 32, 2 ** 49 - 1, 2 ** 49, INTEGER_MAX]) {
    const writer = new Writer();
    writer.integer(value, INTEGER_MAX);
    const reader = new Reader(writer.finish());
    assert.equal(reader.integer(INTEGER_MAX), value);
    reader.end();
  }
});

test('what cannot be written is the fault of the caller and said so', () => {
  const ping = (nonce) => () => encodeServer({ kind: 'Ping', nonce });
  for (const nonce of [-1, 0.5, NaN, Infinity, INTEGER_MAX + 1, '1', undefined]) {
    assert.throws(ping(nonce), (error) => error instanceof CallboardError && error.class === 'bad-request', `${nonce}`);
  }
  const unsubscribe = (channel) => () => encodeClient({ kind: 'Unsubscribe', request: 1, channel });
  for (const channel of ['\ud800', 'a\udc00', '\udc00\ud800']) assert.throws(unsubscribe(channel), { class: 'bad-request' });
  assert.doesNotThrow(unsubscribe('\u{1f600}'));
});

test('a byte order mark is a character like others', () => {
  const frame = /** @type {const} */ ({ kind: 'Unsubscribe', request: 1, channel: '\ufeffa' });
  assert.deepEqual(decodeClient(encodeClient(frame)), frame);
});

test('a binary payload shares no memory with the frame that brought it', () => {
  const { body } = FRAMES.find(({ name }) => name === 'message_binary');
  const { payload } = /** @type {any} */ (decodeServer(body));
  assert.equal(payload.bytes.buffer.byteLength, payload.bytes.length);
});
