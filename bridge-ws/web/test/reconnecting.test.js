// After a lost connection every channel goes on where it was, or its listeners are told what is missing.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EPOCH, comeBack, listener, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

/** A client whose channel stands at 11 after a message. */
async function setUpHearing(options) {
  const all = await setUpOnline(options);
  const [heard, gaps] = [listener(), listener()];
  all.client.subscribe('a', heard, { onGap: gaps });
  await all.broker.subscribed();
  all.broker.message(11, 'before');
  return { ...all, heard, gaps };
}

test('a channel is recovered from the place where it stood', async () => {
  const all = await setUpHearing();
  const { broker, heard, gaps } = all;
  broker.socket.drop();
  await comeBack(all);
  const { start } = await broker.subscribed({ number: 9, offset: 13, next: 12 });
  assert.deepEqual(start, { kind: 'Recover', position: { epoch: EPOCH, offset: 11 } });
  broker.message(12, 'missed', 9);
  broker.message(13, 'missed too', 9);
  assert.deepEqual(heard.payloads, ['before', 'missed', 'missed too']);
  assert.deepEqual(gaps.payloads, []);
});

test('what cannot be recovered is told, to the listener and to the page', async () => {
  const all = await setUpHearing();
  const { client, broker, heard, gaps } = all;
  const pageGaps = listener();
  client.onGap(pageGaps);
  broker.socket.drop();
  await comeBack(all);
  await broker.subscribed({ offset: 500, next: 501, recovered: false });
  const gap = {
    channel: 'a', from: { epoch: EPOCH, offset: 11 }, to: { epoch: EPOCH, offset: 500 }, why: 'not-recoverable',
  };
  assert.deepEqual([gaps.payloads, pageGaps.payloads], [[gap], [gap]]);
  broker.message(501, 'after');
  assert.deepEqual(heard.payloads, ['before', 'after']);
});

test('a channel that began anew is told as such', async () => {
  const all = await setUpHearing();
  all.broker.socket.drop();
  await comeBack(all);
  await all.broker.subscribed({ epoch: 78, offset: 2, next: 3, recovered: false });
  assert.deepEqual(all.gaps.payloads.map(({ why, to }) => [why, to]), [['new-epoch', { epoch: 78, offset: 2 }]]);
});

test('a reset within a session is told', async () => {
  const { broker, heard, gaps } = await setUpHearing();
  broker.say({ kind: 'Reset', channel: 1, position: { epoch: EPOCH, offset: 20 } });
  broker.message(21, 'after');
  assert.deepEqual(gaps.payloads.map(({ why }) => why), ['reset']);
  assert.deepEqual(heard.payloads, ['before', 'after']);
});

test('who comes while there is no session is told no gap of before', async () => {
  const all = await setUpHearing();
  const { client, broker, gaps } = all;
  broker.socket.drop();
  const [heard, noGaps] = [listener(), listener()];
  client.subscribe('a', heard, { onGap: noGaps });
  await comeBack(all);
  await broker.subscribed({ offset: 30, next: 31, recovered: false });
  broker.message(31, 'x');
  assert.equal(gaps.payloads.length, 1);
  assert.deepEqual([noGaps.payloads, heard.payloads], [[], ['x']]);
});

test('who comes late is told no gap that lies before its place', async () => {
  const { client, broker } = await setUpOnline();
  const noGaps = listener();
  client.subscribe('a', () => {}, { rewind: 5 });
  await broker.subscribed({ offset: 20, next: 16 });
  client.subscribe('a', () => {}, { onGap: noGaps });
  broker.say({ kind: 'Reset', channel: 1, position: { epoch: EPOCH, offset: 18 } });
  assert.deepEqual(noGaps.payloads, []);
  broker.say({ kind: 'Reset', channel: 1, position: { epoch: EPOCH, offset: 25 } });
  assert.deepEqual(noGaps.payloads.map(({ from, to }) => [from.offset, to.offset]), [[20, 25]]);
});

test('pauses grow with full jitter, one attempt at a time, for ever', async () => {
  const { client, broker, clock } = setUp({ backoffBaseMs: 100, backoffCapMs: 1000 });
  clock.chance = 0.5;
  client.subscribe('a', () => {});
  await settled();
  for (const pause of [50, 100, 200, 400, 500, 500, 500]) {
    const attempts = broker.sockets.length;
    broker.socket.drop();
    assert.deepEqual([client.state.name, client.state.retryAt - clock.time], ['waiting', pause]);
    assert.equal(client.state.reason.class, 'unreachable');
    await clock.advance(pause - 1);
    assert.equal(broker.sockets.length, attempts);
    await clock.advance(1);
    assert.equal(broker.sockets.length, attempts + 1);
  }
});

test('an attempt that leads nowhere is given up in time', async () => {
  const { client, broker, clock } = setUp({ attemptTimeoutMs: 3000 });
  client.subscribe('a', () => {});
  await clock.advance(2999);
  broker.socket.accept();
  assert.equal(client.state.name, 'connecting');
  await clock.advance(1);
  assert.equal(broker.socket.closed.code, 4202);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'unreachable']);
});

test('a broker that shuts down is come back to at once, with some jitter, and its advice is a floor', async () => {
  const all = await setUpHearing();
  const { client, broker, clock } = all;
  broker.goodbye(4100);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'shutting-down']);
  assert.equal(client.state.retryAt - clock.time, 125);
  await comeBack(all);
  await clock.advance(20_000);
  broker.goodbye(4100, { retryAfter: 7000 });
  assert.equal(client.state.retryAt - clock.time, 7000);
});

test('nothing makes the next attempt come before the time that the broker asked for', async () => {
  const { client, broker, clock, page } = await setUpOnline();
  broker.goodbye(4201, { retryAfter: 5000 });
  await clock.advance(1000);
  page.window.dispatchEvent(new Event('online'));
  page.document.dispatchEvent(new Event('visibilitychange'));
  await clock.advance(3999);
  assert.equal(broker.sockets.length, 1);
  assert.equal(client.state.name, 'waiting');
  await clock.advance(1);
  assert.equal(broker.sockets.length, 2);
});

test('a need that goes away and comes back makes no pause shorter, and an open session ends it', async () => {
  const { client, broker, clock, page } = setUp({ backoffBaseMs: 8000, lingerMs: 0, unsubscribeGraceMs: 0 });
  const stop = client.subscribe('a', () => {});
  await settled();
  broker.socket.drop();
  stop();
  await clock.advance(0);
  assert.equal(client.state.name, 'idle');
  client.subscribe('a', () => {});
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'unreachable']);
  await clock.advance(3999);
  assert.equal(broker.sockets.length, 1);
  await clock.advance(1);
  broker.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  await broker.welcome();
  page.window.dispatchEvent(new Event('pagehide'));
  client.publish('a', 'x');
  page.window.dispatchEvent(new Event('pageshow'));
  assert.equal(client.state.name, 'connecting');
});

test('a session that rested is opened again at once, whatever pause was before it', async () => {
  const { client, broker, clock, page } = setUp({ backoffCapMs: 600_000, backoffBaseMs: 600_000, lingerMs: 0 });
  client.publish('a', 'x');
  await settled();
  broker.socket.drop();
  page.window.dispatchEvent(new Event('online'));
  await broker.welcome();
  await clock.advance(0);
  assert.equal(client.state.name, 'idle');
  client.publish('a', 'y');
  assert.equal(client.state.name, 'connecting');
});

test('a clock that is set back makes no pause longer', async () => {
  const { client, broker, clock, page } = setUp();
  client.subscribe('a', () => {});
  await settled();
  broker.socket.drop();
  clock.offset = -86_400_000;
  await clock.advance(1000);
  assert.equal(broker.sockets.length, 2);
  broker.socket.accept();
  broker.goodbye(4201, { retryAfter: 5000 });
  clock.offset *= 2;
  page.window.dispatchEvent(new Event('online'));
  await clock.advance(5000);
  assert.equal(broker.sockets.length, 3);
});

test('what the broker does not want back does not come back', async () => {
  for (const [code, name] of [[4000, 'finished'], [4001, 'kicked'], [4403, 'forbidden'], [4499, 'ended']]) {
    const { client, broker, clock } = await setUpOnline();
    const states = listener();
    client.subscribe('a', () => {}, { onEnd: () => assert.fail('it may go on') });
    client.onState(states);
    client.onError(() => {});
    broker.goodbye(code, { sentence: 'no more' });
    await clock.advance(600_000);
    assert.equal(broker.sockets.length, 1);
    const told = states.payloads.map((state) => [state.name, state.reason.class, state.reason.code]);
    assert.deepEqual(told, [['closed', name, code]]);
    assert.throws(() => client.publish('a', 'x'), { class: 'closed', code });
    await assert.rejects(client.publishAcked('a', 'x'), { class: 'closed', code });
    await assert.rejects(client.open(), { class: 'closed', code });
    assert.equal(clock.running, 0);
  }
});

test('a close code without Goodbye is read as one, every other as a broken connection', async () => {
  const ends = [
    [4001, 'closed', 'kicked'], [4100, 'waiting', 'shutting-down'], [1006, 'waiting', 'lost'], [1009, 'waiting', 'lost'],
    [4999, 'waiting', 'lost'],
  ];
  for (const [code, state, name] of ends) {
    const { client, broker } = await setUpOnline();
    broker.socket.drop(code, '');
    assert.deepEqual([client.state.name, client.state.reason.class], [state, name], `${code}`);
  }
});

test('states are told in order, each a new object, with what the broker said', async () => {
  const { client, broker, clock } = setUp();
  const states = listener();
  const off = client.onState(states);
  client.subscribe('a', () => {});
  const identity = { strategy: 'local', key: 'user-7' };
  assert.equal(client.identity, undefined);
  await broker.welcome({ connection: 5, identity });
  assert.deepEqual(client.state.session, {
    connection: 5, agent: 'scripted/1', identity, payloadBytesMax: 65536, subscriptionsMax: 128,
  });
  broker.socket.drop();
  assert.deepEqual(client.identity, identity);
  off();
  await clock.advance(5000);
  assert.deepEqual(states.payloads.map(({ name }) => name), ['connecting', 'online', 'waiting']);
  assert.ok(states.payloads.every(Object.isFrozen));
  assert.equal(client.state.name, 'connecting');
});

test('why there is no session is told until there is one', async () => {
  const { client, broker, clock } = setUp();
  const reasons = listener();
  client.onState(({ name, reason }) => reasons(`${name} ${reason?.class}`));
  client.subscribe('a', () => {});
  await settled();
  broker.socket.drop();
  await clock.advance(client.state.retryAt - clock.time);
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  broker.socket.drop(4100);
  await comeBack({ client, broker, clock });
  assert.deepEqual(reasons.payloads, [
    'connecting undefined', 'waiting unreachable', 'connecting unreachable', 'waiting unreachable', 'connecting unreachable',
    'online undefined', 'waiting shutting-down', 'connecting shutting-down', 'online undefined',
  ]);
});

test('why a session ended is no reason any more when nothing was needed since', async () => {
  const ends = [
    ({ broker, stop }) => { broker.socket.drop(); stop(); },
    ({ client, stop }) => { client.reconnect(); stop(); },
    ({ client, stop }) => { stop(); client.reconnect(); },
    ({ client, broker, stop }) => { broker.goodbye(4001); stop(); client.reconnect(); },
    // A session that came after it, and rested.
    async ({ client, broker, clock, stop }) => {
      broker.socket.drop();
      await comeBack({ client, broker, clock });
      stop();
    },
  ];
  for (const end of ends) {
    const { client, broker, clock } = setUp();
    client.onError(() => {});
    const stop = client.hold();
    await broker.welcome();
    await end({ client, broker, clock, stop });
    await clock.advance(60_000);
    assert.deepEqual([client.state.name, client.state.reason], ['idle', null], `${end}`);
    client.hold();
    assert.deepEqual([client.state.name, client.state.reason], ['connecting', null], `${end}`);
  }
});

test('what a watcher brings about is told behind what brought it about, to everybody', async () => {
  const { client, broker, clock } = setUp();
  const states = listener();
  client.onState(({ name }) => { if (name === 'idle') client.publish('a', 'x'); });
  client.onState(states);
  client.subscribe('a', () => {})();
  await clock.advance(500);
  assert.deepEqual(states.payloads.map(({ name }) => name), ['connecting', 'idle', 'connecting']);
  assert.equal(broker.sockets.length, 2);
});

test('who stops watching is told nothing more, also by one who is told before', async () => {
  const { client, broker } = await setUpOnline();
  const late = listener();
  client.onState(() => off());
  const off = client.onState(late);
  broker.socket.drop();
  assert.deepEqual(late.payloads, []);
});

test('a session that nothing needs rests after a while, and opens again when something does', async () => {
  const { client, broker, clock } = setUp({ lingerMs: 5000 });
  const stop = client.subscribe('a', () => {});
  await broker.welcome();
  await broker.subscribed();
  stop();
  await clock.advance(500);
  broker.ok(broker.hear('Unsubscribe').request);
  await clock.advance(4999);
  assert.equal(client.state.name, 'online');
  await clock.advance(1);
  assert.equal(client.state.name, 'idle');
  assert.equal(broker.hear('Goodbye').code, 4000);
  assert.equal(clock.running, 0);
  client.publish('a', 'x');
  await broker.welcome();
  assert.equal(broker.hear('Publish').payload.text, 'x');
});

test('an attempt that nothing needs any more is given up', async () => {
  const { client, broker, clock } = setUp();
  client.subscribe('a', () => {})();
  await clock.advance(500);
  assert.equal(client.state.name, 'idle');
  assert.equal(clock.running, 0);
  assert.ok(broker.socket.closed);
});

test('a number of the session before says nothing of the channel that has it now', async () => {
  const all = await setUpOnline();
  const { client, broker, clock } = all;
  const stop = client.subscribe('a', () => {});
  await broker.subscribed({ number: 1 });
  broker.socket.drop();
  await comeBack(all);
  const { request } = broker.hear('Subscribe');
  const heard = listener();
  client.subscribe('b', heard);
  await broker.subscribed({ number: 1 });
  stop();
  await clock.advance(500);
  broker.failed(request, 403, 'forbidden');
  broker.message(11, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('however often the broker came and went, on a kept socket Hello comes while the bridge waits for it', async () => {
  for (const chance of [0, 0.5, 0.999]) {
    const { client, broker, clock } = await setUpOnline();
    clock.chance = 0.999;
    for (let nonce = 1; nonce <= 20; nonce += 1) {
      broker.suspend(nonce);
      await clock.advance(30_000);
      broker.say({ kind: 'Resumed', nonce });
      await clock.advance(0);
      broker.hear('Hello');
    }
    broker.suspend(21);
    clock.chance = chance;
    broker.say({ kind: 'Resumed', nonce: 21 });
    await settled();
    const left = chance === 0 ? 0 : client.state.retryAt - clock.time;
    assert.ok(left <= 3000, `${left} ms`);
    await clock.advance(left);
    broker.hear('Hello');
    assert.equal(broker.sockets.length, 1);
  }
});
