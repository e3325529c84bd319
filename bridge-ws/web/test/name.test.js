// Channel names are judged as the broker judges them, before anything is sent.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { checkName } from '../name.js';
import { NAMES } from './support/vectors.js';

test('every legal name is taken', () => {
  for (const name of NAMES.legal) assert.doesNotThrow(() => checkName(name), JSON.stringify(name));
});

test('every illegal name is refused with a sentence', () => {
  const sentences = new Map();
  for (const { name, error } of NAMES.illegal) {
    assert.throws(() => checkName(name), (/** @type {any} */ thrown) => {
      sentences.set(error, (sentences.get(error) ?? new Set()).add(thrown.sentence.replace(/\d+$/, '')));
      return thrown.class === 'bad-channel-name' && thrown.code === 400;
    }, JSON.stringify(name));
  }
  for (const [rule, told] of sentences) assert.equal(told.size, 1, `one sentence for ${rule}`);
  assert.equal(sentences.size, 5);
});

test('what is no text of whole characters is no name', () => {
  for (const name of [undefined, null, 7, {}, ['a'], '\ud800', 'a/\udfff']) {
    assert.throws(() => checkName(name), { class: 'bad-channel-name' });
  }
});
