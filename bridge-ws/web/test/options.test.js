// Nonsense is refused when connect is called, with a sentence that says what to do and repeats no secret.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addressOf } from '../address.js';
import { connect } from '../index.js';
import { Broker } from './support/broker.js';

test('a URL becomes the one that a WebSocket is opened to', () => {
  const page = 'https://app.example/view/7?q#top';
  /** @type {[given: string | URL, base: string, url: string][]} */
  const wanted = [
    [undefined, page, 'wss://app.example/v1/bus'], [undefined, 'http://localhost:8080/', 'ws://localhost:8080/v1/bus'],
    ['/bus', page, 'wss://app.example/bus'], ['bus', page, 'wss://app.example/view/bus'],
    ['//other.example', page, 'wss://other.example/'], ['wss://b.example', page, 'wss://b.example/'],
    ['ws://127.0.0.1:4480/v1/bus?a=1', undefined, 'ws://127.0.0.1:4480/v1/bus?a=1'],
    [undefined, undefined, '/v1/bus'], ['/bus?a=1', undefined, '/bus?a=1'], ['bus', undefined, 'bus'],
    ['HTTPS://B.Example:443/x', undefined, 'wss://b.example/x'], [new URL('http://[::1]:4480/'), undefined, 'ws://[::1]:4480/'],
  ];
  for (const [given, base, url] of wanted) assert.equal(addressOf(given, base), url);
});

test('what is no address of a broker is refused, and never repeated', () => {
  /** @type {[given: any, base: string][]} */
  const nonsense = [
    ['http://', undefined], ['//', undefined], ['//b.example:canary/', undefined], [null, 'https://a.example/'],
    [7, 'https://a.example/'], [{}, 'https://a.example/'], ['ftp://canary.example/', undefined], [undefined, 'file:///tmp/canary.html'],
    ['javascript:canary', undefined], ['wss://user:canary@b.example/', undefined], ['wss://canary@b.example/', undefined],
    ['wss://b.example/#canary', undefined], ['ws://b.example:99999/canary', undefined], ['callboard://canary', undefined],
  ];
  for (const [given, base] of nonsense) {
    assert.throws(() => addressOf(given, base), (/** @type {any} */ error) => {
      assert.equal(error.class, 'bad-request', `${given}`);
      assert.doesNotMatch(error.sentence, /canary/);
      return true;
    });
  }
});

test('options that cannot hold are refused, each by its name', () => {
  const { WebSocket } = new Broker();
  const nonsense = {
    getToken: 'token', offline: 'maybe', agent: 'x'.repeat(256), queueMessages: 0, queueBytes: NaN, unsubscribeGraceMs: -1,
    lingerMs: 1.5, attemptTimeoutMs: '10', heartbeatGraceMs: Infinity, backoffBaseMs: 0, backoffCapMs: 2 ** 31,
    closeTimeoutMs: -1, incoming: 'x', outgoing: {}, WebSocket: 'ws',
  };
  for (const [name, value] of Object.entries(nonsense)) {
    const wrong = () => connect('ws://options.test/', { shared: false, WebSocket, [name]: value });
    assert.throws(wrong, (/** @type {any} */ error) => (
      error.class === 'bad-request' && error.sentence.includes(name)
    ), name);
  }
});

test('a credential is an API key or names its strategy, and is never repeated', () => {
  const { WebSocket } = new Broker();
  /** @type {any[]} */
  const nonsense = [7, {}, { strategy: 'apikey' }, { strategy: 1, secret: 'canary' }, 'canary'.repeat(3000)];
  for (const credential of nonsense) {
    const wrong = () => connect('ws://options.test/', { shared: false, WebSocket, credential });
    assert.throws(wrong, (/** @type {any} */ error) => (
      error.class === 'bad-request' && !error.sentence.includes('canary')
    ));
  }
  const both = { credential: 'key', getToken: () => 'key', WebSocket };
  assert.throws(() => connect('ws://options.test/', both), { class: 'bad-request' });
});

test('options are an object', () => {
  assert.throws(() => connect('ws://options.test/', null), { class: 'bad-request' });
});
