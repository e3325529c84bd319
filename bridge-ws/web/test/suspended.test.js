// Behind a bridge whose broker is away a page keeps its one socket, waits, and goes on where it was when the broker is back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EPOCH, comeBack, listener, reported, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

/**
 * A page whose channel stands at 11, on a socket that was promised a sign of life every 10 s.
 * @param {{ interval?: number } & import('../types.js').Options} [options]
 */
async function setUpHearing({ interval = 10_000, ...options } = {}) {
  const all = setUp(options);
  const { client, broker } = all;
  const [heard, gaps] = [listener(), listener()];
  client.subscribe('a', heard, { onGap: gaps });
  await broker.welcome({ ping_interval: interval });
  await broker.subscribed();
  broker.message(11, 'before');
  return { ...all, heard, gaps };
}

/** The broker is back: the page says Hello on the socket that it has. */
async function resume({ broker, clock }, nonce) {
  const { socket } = broker;
  broker.say({ kind: 'Resumed', nonce });
  // The jitter of a first pause.
  await clock.advance(250);
  assert.equal(broker.socket, socket);
  assert.equal(socket.closed, null);
  return broker.welcomeAgain();
}

test('a page whose broker is away says only that it heard so, and waits on the socket that it has', async () => {
  const { client, broker, clock, page } = await setUpHearing();
  const states = listener();
  client.onState(states);
  broker.suspend(301, { sentence: 'the broker restarts', retryAfter: 1500 });
  const { name, reason, retryAt, session } = client.state;
  assert.deepEqual([name, reason.class, reason.sentence, session], ['waiting', 'away', 'the broker restarts', null]);
  assert.equal(retryAt, clock.time + 1500);
  client.subscribe('b', () => {});
  for (let count = 0; count < 100; count += 1) {
    await clock.advance(9_000);
    page.window.dispatchEvent(new Event('online'));
    page.document.dispatchEvent(new Event('visibilitychange'));
    broker.say({ kind: 'Ping', nonce: 1000 + count });
    assert.equal(broker.hear('Pong').nonce, 1000 + count);
  }
  broker.hearsNothing();
  assert.equal(broker.sockets.length, 1);
  assert.deepEqual(states.payloads.map((state) => state.name), ['waiting']);
});

test('a bridge that does not say when, or why, is waited for as well', async () => {
  const { client, broker, clock } = await setUpHearing();
  broker.suspend(1, { sentence: '' });
  assert.equal(client.state.retryAt, null);
  assert.ok(client.state.reason.sentence.length > 0);
  broker.suspend(2, { retryAfter: Number.MAX_SAFE_INTEGER });
  assert.equal(client.state.retryAt, clock.time + 3_600_000);
});

test('when the broker is back everything goes on in a new session on the same socket', async () => {
  let tokens = 0;
  const all = await setUpHearing({ getToken: () => `key.${(tokens += 1)}` });
  const { client, broker, heard, gaps } = all;
  const first = client.publishAcked('a', 'first');
  const { request } = broker.hear('Publish');
  assert.ok(request > 1);
  broker.suspend(7);
  const second = client.publishAcked('a', 'second');
  client.publish('a', 'third');
  broker.hearsNothing();
  const hello = await resume(all, 7);
  assert.deepEqual(hello.credential, { strategy: 'apikey', secret: 'key.2' });
  assert.equal(client.state.name, 'online');

  const subscribe = await broker.subscribed({ number: 5, offset: 13, next: 12 });
  assert.equal(subscribe.request, 1);
  assert.deepEqual(subscribe.start, { kind: 'Recover', position: { epoch: EPOCH, offset: 11 } });
  const said = [broker.hear('Publish'), broker.hear('Publish'), broker.hear('Publish')];
  const told = said.map(({ payload, request, sequence }) => [payload.text, request, sequence]);
  assert.deepEqual(told, [['first', 2, 1], ['second', 3, 2], ['third', 0, 0]]);
  broker.message(12, 'missed', 5);
  broker.message(13, 'missed too', 5);
  assert.deepEqual(heard.payloads, ['before', 'missed', 'missed too']);
  broker.published(2, 14);
  broker.published(3, 15);
  assert.deepEqual([(await first).offset, (await second).offset], [14, 15]);
  assert.deepEqual(gaps.payloads, []);
});

test('the instance stays the same, so that nothing is stored twice', async () => {
  const all = setUp();
  all.client.open();
  const before = await all.broker.welcome();
  all.broker.suspend(1);
  assert.deepEqual((await resume(all, 1)).instance, before.instance);
});

test('what was lost meanwhile is told as a gap', async () => {
  /** @type {[answer: { epoch?: number }, why: string][]} */
  const cases = [[{}, 'not-recoverable'], [{ epoch: 78 }, 'new-epoch']];
  for (const [answer, why] of cases) {
    const all = await setUpHearing();
    all.broker.suspend(7);
    await resume(all, 7);
    await all.broker.subscribed({ offset: 500, next: 501, recovered: false, ...answer });
    all.broker.message(501, 'after');
    assert.deepEqual(all.gaps.payloads.map((gap) => [gap.why, gap.from.offset, gap.to.offset]), [[why, 11, 500]]);
    assert.deepEqual(all.heard.payloads, ['before', 'after']);
  }
});

test('publishes wait meanwhile, and no more of them than ever wait', async () => {
  const { client, broker } = await setUpHearing({ queueMessages: 2 });
  broker.suspend(7);
  client.publish('a', 'x');
  client.publish('a', 'y');
  assert.throws(() => client.publish('a', 'z'), { class: 'queue-full' });
  await assert.rejects(client.publishAcked('a', 'z'), { class: 'queue-full' });
  broker.hearsNothing();
});

test('publishes fail meanwhile where the page wants that', async () => {
  const { client, broker } = await setUpHearing({ offline: 'fail' });
  client.publish('a', 'x');
  broker.hear('Publish');
  broker.suspend(7);
  assert.throws(() => client.publish('a', 'y'), { class: 'offline' });
  await assert.rejects(client.publishAcked('a', 'y'), { class: 'offline' });
});

test('a broker may be away before the first session, for as long as it likes', async () => {
  let tokens = 0;
  const all = setUp({ getToken: () => `key.${(tokens += 1)}`, attemptTimeoutMs: 3000 });
  const { client, broker, clock } = all;
  const heard = listener();
  client.subscribe('a', heard);
  await settled();
  broker.socket.accept();
  broker.hear('Hello');
  broker.suspend(1);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'away']);
  for (let nonce = 2; nonce < 20; nonce += 1) {
    await clock.advance(60_000);
    broker.suspend(nonce);
  }
  const hello = await resume(all, 19);
  assert.equal(hello.credential.secret, 'key.2');
  await broker.subscribed();
  broker.message(11, 'at last');
  assert.deepEqual(heard.payloads, ['at last']);
});

test('a bridge that falls silent is given up, by the promise of the last session', async () => {
  const all = await setUpHearing();
  const { client, broker, clock } = all;
  broker.suspend(1);
  await clock.advance(14_999);
  assert.equal(client.state.reason.class, 'away');
  await clock.advance(1);
  assert.equal(broker.socket.closed.code, 4203);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'idle']);
  await comeBack(all);
  assert.equal(broker.sockets.length, 2);
});

test('a bridge that promised nothing yet has two minutes, one that promised nothing at all has for ever', async () => {
  const { client, broker, clock } = setUp();
  client.subscribe('a', () => {});
  await settled();
  broker.socket.accept();
  broker.hear('Hello');
  broker.suspend(1);
  const { socket } = broker;
  await clock.advance(124_999);
  assert.equal(socket.closed, null);
  await clock.advance(1);
  assert.equal(socket.closed.code, 4203);

  const another = await setUpHearing();
  another.broker.socket.drop();
  await another.clock.advance(another.client.state.retryAt - another.clock.time);
  another.broker.socket.accept();
  another.broker.hear('Hello');
  another.broker.suspend(1);
  await another.clock.advance(124_999);
  assert.equal(another.broker.sockets[1].closed, null, 'a promise holds for its own socket');

  const silent = await setUpHearing({ interval: 0 });
  silent.broker.suspend(1);
  await silent.clock.advance(100_000_000);
  assert.equal(silent.client.state.reason.class, 'away');
});

test('while a token is fetched nobody is taken for silent, and it may take as long as an attempt', async () => {
  const tokens = [];
  const all = await setUpHearing({ interval: 10, heartbeatGraceMs: 0, getToken: () => tokens.shift() ?? 'key.1' });
  const { client, broker, clock } = all;
  tokens.push(new Promise(() => {}));
  broker.suspend(1);
  broker.say({ kind: 'Resumed', nonce: 1 });
  await clock.advance(125);
  assert.equal(client.state.name, 'connecting');
  await clock.advance(9_999);
  assert.equal(broker.socket.closed, null);
  await clock.advance(1);
  assert.equal(broker.sockets[0].closed.code, 4202);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'no-token']);
});

test('a token that is not to be had leaves no socket behind', async () => {
  const tokens = [() => 'key.1', () => Promise.reject(new Error('no')), () => 'key.3'];
  const all = await setUpHearing({ getToken: () => tokens.shift()() });
  const { client, broker, clock } = all;
  broker.suspend(1);
  broker.say({ kind: 'Resumed', nonce: 1 });
  await clock.advance(125);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'no-token']);
  assert.equal(broker.hear('Goodbye').code, 4000);
  assert.equal(broker.socket.closed.code, 4000);
  const hello = await comeBack(all);
  assert.equal(hello.credential.secret, 'key.3');
});

test('a token that comes when the broker is away again is not shown', async () => {
  let give = (/** @type {string} */ _token) => {};
  const tokens = ['key.1', new Promise((resolve) => { give = resolve; })];
  const all = await setUpHearing({ getToken: () => tokens.shift() ?? 'key.3' });
  const { client, broker, clock } = all;
  broker.suspend(1);
  broker.say({ kind: 'Resumed', nonce: 1 });
  await clock.advance(125);
  broker.suspend(2);
  give('key.2');
  await settled();
  broker.hearsNothing();
  assert.equal(client.state.reason.class, 'away');
  broker.say({ kind: 'Resumed', nonce: 2 });
  await clock.advance(10_000);
  assert.equal((await broker.welcomeAgain()).credential.secret, 'key.3');
});

test('a bridge whose broker comes and goes is not asked in a tight loop', async () => {
  let tokens = 0;
  const { client, broker, clock } = await setUpHearing({ interval: 0, getToken: () => `key.${(tokens += 1)}` });
  // A session that lived long makes up for one that did not, and for no more.
  await clock.advance(20_000);
  for (let nonce = 1; nonce <= 1000; nonce += 1) {
    broker.suspend(nonce);
    broker.say({ kind: 'Resumed', nonce });
    await clock.advance(1);
    if (broker.socket.heard.length > 0) broker.hear('Hello');
  }
  assert.ok(tokens < 6, `${tokens} tokens in a second`);
  broker.suspend(1001);
  const asked = tokens;
  await clock.advance(60_000);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'away']);
  assert.deepEqual([tokens, broker.sockets.length], [asked, 1]);
});

test('an end while the broker is away is read as at any time', async () => {
  for (const [code, name, reason] of [[4100, 'waiting', 'shutting-down'], [4403, 'closed', 'forbidden']]) {
    const all = await setUpHearing();
    all.broker.suspend(1);
    all.broker.goodbye(code);
    assert.deepEqual([all.client.state.name, all.client.state.reason.class], [name, reason]);
    assert.equal(all.broker.socket.closed.code, 4000);
    if (name === 'waiting') await comeBack(all);
  }
  const all = await setUpHearing();
  all.broker.suspend(1);
  all.broker.socket.drop();
  assert.deepEqual([all.client.state.name, all.client.state.reason.class], ['waiting', 'lost']);
  await comeBack(all);
  const { start } = await all.broker.subscribed({ number: 2, offset: 11 });
  assert.equal(start.kind, 'Recover');
});

test('a page that goes away meanwhile leaves its socket, and opens another when it comes back', async () => {
  const { client, broker, page } = await setUpHearing();
  broker.suspend(1);
  page.window.dispatchEvent(new Event('pagehide'));
  assert.equal(broker.hear('Goodbye').code, 4000);
  assert.equal(broker.socket.closed.code, 4000);
  assert.equal(client.state.reason.class, 'hidden');
  page.window.dispatchEvent(new Event('pageshow'));
  await broker.welcome();
  assert.equal(broker.sockets.length, 2);
});

test('a page that needs nothing any more rests after a while, or when the broker is back', async () => {
  for (const isResumed of [false, true]) {
    const { client, broker, clock } = setUp({ lingerMs: 5000, unsubscribeGraceMs: 0 });
    const stop = client.subscribe('a', () => {});
    await broker.welcome();
    await broker.subscribed();
    broker.suspend(1);
    stop();
    await clock.advance(4_999);
    assert.deepEqual([client.state.name, broker.socket.closed], ['waiting', null]);
    if (isResumed) broker.say({ kind: 'Resumed', nonce: 1 });
    else await clock.advance(1);
    assert.equal(client.state.name, 'idle');
    assert.equal(broker.hear('Goodbye').code, 4000);
    assert.equal(clock.running, 0);
  }
});

test('what a page closes meanwhile says goodbye, and gives its publishes up in time', async () => {
  const { client, broker, clock } = await setUpHearing({ closeTimeoutMs: 2000 });
  broker.suspend(1);
  const acked = assert.rejects(client.publishAcked('a', 'x'), { class: 'closed' });
  const closed = client.close();
  await clock.advance(1_999);
  assert.equal(broker.socket.closed, null);
  await clock.advance(1);
  await Promise.all([acked, closed]);
  assert.equal(broker.hear('Goodbye').code, 4000);
  assert.equal(client.state.name, 'closed');
  assert.equal(clock.running, 0);
});

test('whatever else comes meanwhile ends the socket with a reason, and nothing of it reaches the page', async () => {
  const position = { epoch: EPOCH, offset: 11 };
  const message = {
    kind: 'Message', channel: 1, offset: 12, published: 0, publisher: null, key: null, payload: { kind: 'text', text: '' },
  };
  const frames = [
    message,
    { kind: 'Skipped', channel: 1, through: 12 },
    { kind: 'Reset', channel: 1, position },
    { kind: 'Named', channel: 9, name: 'b', position },
    { kind: 'Membership', name: 'b', member: true },
    { kind: 'Ok', request: 1, answer: { kind: 'Done' } },
    { kind: 'Failed', request: 0, code: 500, class: '', sentence: '', data: null },
    { kind: 'Resumed', nonce: 8 },
    {
      kind: 'Welcome', agent: '', connection: 1, capabilities: 0, payload_bytes_max: 1, subscriptions_max: 1,
      ping_interval: 0, identity: null,
    },
  ];
  for (const frame of frames) {
    for (const isResumed of [false, true]) {
      const all = await setUpHearing();
      const { client, broker, heard, gaps } = all;
      broker.suspend(7);
      if (isResumed) broker.say({ kind: 'Resumed', nonce: 7 });
      const errors = await reported(() => broker.say(frame));
      const what = `${frame.kind}, ${isResumed ? 'before Hello' : 'while suspended'}`;
      assert.deepEqual(errors, [], what);
      assert.equal(broker.socket.closed.code, 4401, what);
      assert.ok(broker.socket.closed.reason.length > 0, what);
      assert.equal(broker.hear('Goodbye').code, 4401);
      assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'broker-at-fault'], what);
      assert.deepEqual([heard.payloads, gaps.payloads], [['before'], []], what);
      await comeBack(all);
      await broker.subscribed({ number: 2, offset: 11 });
    }
  }
});

test('Resumed without Suspended, or of one before the last, ends the socket', async () => {
  for (const nonces of [[], [7, 8]]) {
    const { client, broker } = await setUpHearing();
    for (const nonce of nonces) broker.suspend(nonce);
    broker.say({ kind: 'Resumed', nonce: 7 });
    assert.equal(broker.socket.closed.code, 4401);
    assert.equal(client.state.reason.class, 'broker-at-fault');
  }
});

test('a bridge that says Suspended and does not read is given up before its Pongs fill the memory', async () => {
  const { client, broker } = await setUpOnline();
  broker.socket.bufferedAmount = (16 << 20) + 1;
  broker.say({ kind: 'Suspended', nonce: 1, sentence: '', retry_after: null });
  assert.equal(broker.socket.closed.code, 4101);
  assert.equal(client.state.reason.class, 'broker-at-fault');
});

test('what a listener of states does meanwhile hurts nobody', async () => {
  const { client, broker } = await setUpHearing();
  client.onState(({ name }) => {
    if (name === 'waiting') client.close();
    throw new Error('of the page');
  });
  const errors = await reported(() => broker.suspend(1));
  assert.ok(errors.every(({ message }) => message === 'of the page'), `${errors}`);
  assert.equal(client.state.name, 'closed');
  assert.equal(broker.hear('Goodbye').code, 4000);
});
