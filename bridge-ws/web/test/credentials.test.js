// Who the page says it is, asked anew before each attempt, and what follows when the broker does not believe it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EPOCH, comeBack, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

test('a token is asked for before each attempt', async () => {
  let count = 0;
  const all = setUp({ getToken: async () => `key.${(count += 1)}` });
  all.client.open();
  const hello = await all.broker.welcome();
  assert.deepEqual(hello.credential, { strategy: 'apikey', secret: 'key.1' });
  all.broker.socket.drop();
  assert.deepEqual((await comeBack(all)).credential, { strategy: 'apikey', secret: 'key.2' });
});

test('a token may name its strategy, or be none', async () => {
  const jwt = { strategy: 'jwt', secret: 'e.y.J' };
  for (const [given, shown] of [[jwt, jwt], [null, null]]) {
    const { client, broker } = setUp({ getToken: () => given });
    client.open();
    assert.deepEqual((await broker.welcome()).credential, shown);
  }
});

test('a credential is shown in every session', async () => {
  const all = setUp({ credential: 'key.secret' });
  all.client.open();
  const { credential } = await all.broker.welcome();
  assert.deepEqual(credential, { strategy: 'apikey', secret: 'key.secret' });
  all.broker.socket.drop();
  assert.deepEqual((await comeBack(all)).credential, credential);
});

test('no token, no attempt, and the next one follows after a pause', async () => {
  /** @type {any[]} */
  const broken = [() => { throw new Error('mine'); }, async () => { throw new Error('mine'); }, () => {}, () => 7];
  for (const getToken of broken) {
    const { client, broker, clock } = setUp({ getToken });
    client.subscribe('a', () => {});
    await settled();
    assert.equal(broker.sockets.length, 0);
    assert.equal(client.state.name, 'waiting');
    assert.ok(['no-token', 'bad-request'].includes(client.state.reason.class));
    await clock.advance(client.state.retryAt - clock.time);
    assert.equal(client.state.name, 'waiting');
  }
});

test('a refused credential that never changes closes the connection', async () => {
  const { client, broker, clock } = setUp({ credential: 'key.canary' });
  const opened = client.open();
  await settled();
  broker.socket.accept();
  broker.goodbye(4300);
  await assert.rejects(opened, { class: 'closed', code: 4300 });
  await clock.advance(600_000);
  assert.equal(broker.sockets.length, 1);
  assert.deepEqual([client.state.name, client.state.reason.class], ['closed', 'bad-credential']);
  assert.doesNotMatch(`${client.state.reason.stack}${JSON.stringify(client.state)}`, /canary/);
});

test('a refused or expired token is asked for again after a growing pause, with why', async () => {
  const asked = [];
  const { client, broker, clock } = setUp({ getToken: async (why) => asked.push(why.refused?.class ?? null) && 'key' });
  client.open();
  for (const [code, pause] of [[4300, 100], [4301, 200], [4399, 400]]) {
    await settled();
    broker.socket.accept();
    broker.goodbye(code);
    assert.equal(client.state.retryAt - clock.time, pause);
    await clock.advance(pause);
  }
  await broker.welcome();
  broker.socket.drop();
  await clock.advance(60_000);
  assert.deepEqual(asked.slice(0, 5), [null, 'bad-credential', 'credential-expired', 'ended', null]);
});

test('a key that is revoked ends an open session, and closes a connection that has no other', async () => {
  const { client, broker, clock } = await setUpOnline({ credential: 'key.canary' });
  client.subscribe('a', () => {});
  await broker.subscribed();
  broker.goodbye(4300);
  await clock.advance(600_000);
  assert.equal(broker.sockets.length, 1);
  assert.deepEqual([client.state.name, client.state.reason.class], ['closed', 'bad-credential']);
});

test('where a token is revoked another one is asked for, with why, and never in a hurry', async () => {
  const asked = [];
  const getToken = async ({ refused }) => asked.push(refused?.class ?? null) && `key.${asked.length}`;
  const { client, broker, clock } = await setUpOnline({ getToken });
  client.subscribe('a', () => {});
  await broker.subscribed({ offset: 10 });
  // Ends after ends: the pauses grow though each session was opened.
  for (const pause of [100, 200, 400, 800]) {
    broker.goodbye(4300);
    assert.equal(client.state.retryAt - clock.time, pause);
    await clock.advance(pause);
    await broker.welcome();
    const { start } = await broker.subscribed({ offset: 10 });
    assert.deepEqual(start, { kind: 'Recover', position: { epoch: EPOCH, offset: 10 } });
  }
  assert.deepEqual(asked, [null, ...Array(4).fill('bad-credential')]);
});

test('a token that takes too long ends the attempt, and what comes late opens nothing', async () => {
  let give = (/** @type {string} */ _token) => {};
  const { client, broker, clock } = setUp({ getToken: () => new Promise((resolve) => { give = resolve; }) });
  client.subscribe('a', () => {});
  await clock.advance(10_000);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'no-token']);
  assert.match(client.state.reason.sentence, /10000 ms/);
  give('late');
  await settled();
  assert.equal(broker.sockets.length, 0);
});

test('whom the broker takes the page for is known before anything is subscribed', async () => {
  const { client, broker } = setUp();
  const opened = client.open();
  await broker.welcome({ identity: { strategy: 'jwt', key: 'user-7' } });
  assert.equal((await opened).identity.key, 'user-7');
  assert.deepEqual(client.identity, { strategy: 'jwt', key: 'user-7' });
  assert.equal((await client.open()).identity.key, 'user-7');
});

test('a getToken that nobody waits for any more is told so, and one that gave a token is not', async () => {
  const signals = [];
  const { client, broker, clock } = setUp({
    attemptTimeoutMs: 1000,
    getToken: ({ signal }) => {
      signals.push(signal);
      return signals.length === 1 ? new Promise(() => {}) : 'key.1';
    },
  });
  client.hold();
  await clock.advance(999);
  assert.equal(signals[0].aborted, false);
  while (signals.length < 2) await clock.advance(100);
  await broker.welcome();
  await client.close();
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true, false]);
});
