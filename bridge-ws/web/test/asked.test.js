// A page asks for another session: after a login, because a visitor wants to try now, or when the broker wants none back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, poll } from '../index.js';
import { Broker, EPOCH, comeBack, fakePage, listener, setUp, setUpOnline } from './support/broker.js';
import { FakeClock, settled } from './support/clock.js';

test('a connection that is closed for good comes back when the page asks, and everything with it', async () => {
  const { client, broker, clock } = await setUpOnline();
  const [heard, ended, live] = [listener(), listener(), listener()];
  client.subscribe('a', heard, { onEnd: ended, onLive: live });
  await broker.subscribed();
  client.onError(() => {});
  broker.goodbye(4001);
  await clock.advance(600_000);
  assert.deepEqual([client.state.name, broker.sockets.length, clock.running], ['closed', 1, 0]);
  client.reconnect();
  assert.deepEqual([client.state.name, client.state.reason.class], ['connecting', 'kicked'], 'until there is a session');
  await broker.welcome();
  const { start } = await broker.subscribed({ number: 2 });
  assert.deepEqual(start, { kind: 'Recover', position: { epoch: EPOCH, offset: 10 } });
  broker.message(11, 'x', 2);
  assert.deepEqual([heard.payloads, ended.payloads, live.payloads], [['x'], [], [true, false, true]]);
  client.publish('a', 'y');
  broker.hear('Publish');
});

test('who listens while the connection is closed waits with the others', async () => {
  const { client, broker, clock } = await setUpOnline();
  client.onError(() => {});
  broker.goodbye(4001);
  const heard = listener();
  const { ready } = client.subscribe('a', heard);
  await assert.rejects(ready, { class: 'closed', code: 4001 });
  await clock.advance(600_000);
  assert.equal(broker.sockets.length, 1);
  client.reconnect();
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('who awaits an answer when the connection closes for good is told, and listens on', async () => {
  const { client, broker, clock } = await setUpOnline();
  client.onError(() => {});
  const heard = listener();
  const { ready } = client.subscribe('a', heard);
  await broker.asked();
  broker.goodbye(4403);
  await assert.rejects(ready, { class: 'closed', code: 4403 });
  client.reconnect();
  await clock.advance(1000);
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('what is polled is slow again when the connection is back', async () => {
  const { client, broker, clock, page } = await setUpOnline();
  client.onError(() => {});
  let runs = 0;
  const reads = () => { runs += 1; };
  const reading = poll(client, 'a', 1000, reads, { clock, page, onEnd: () => assert.fail('it goes on') });
  await broker.subscribed();
  await clock.advance(1000);
  broker.goodbye(4001);
  await clock.advance(10_000);
  assert.ok(runs > 8, `${runs} runs without a session`);
  client.reconnect();
  await broker.welcome();
  await broker.subscribed();
  await clock.advance(1000);
  assert.ok(reading.state.isSlow);
  reading.stop();
});

test('that the connection closed for good is told once, also where nobody watches', async () => {
  const { client, broker } = await setUpOnline();
  const errors = listener();
  client.onError(errors);
  client.subscribe('a', () => {});
  client.subscribe('b', () => {});
  broker.goodbye(4403, { sentence: 'this page may not' });
  assert.deepEqual(errors.payloads.map((error) => [error.class, error.code, error.cause.sentence]), [
    ['closed', 4403, 'this page may not'],
  ]);
});

test('who asks on hearing of the error has watchers told that it was closed, and each state once', async () => {
  const { client, broker } = await setUpOnline();
  const states = listener();
  client.onState(states);
  client.onError(() => client.reconnect());
  broker.goodbye(4001);
  assert.deepEqual(states.payloads.map(({ name }) => name), ['closed', 'idle', 'waiting']);
});

test('who asks on hearing of a gap is not told that messages come', async () => {
  const { client, broker, clock } = await setUpOnline();
  const live = listener();
  client.subscribe('a', () => {}, { onLive: live, onGap: () => client.reconnect() });
  await broker.subscribed();
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  await broker.subscribed({ offset: 50, recovered: false });
  assert.deepEqual([client.state.name, live.payloads], ['waiting', [true, false]]);
  await comeBack({ client, broker, clock });
  await broker.subscribed({ offset: 50 });
  assert.deepEqual(live.payloads, [true, false, true]);
});

test('however many ask whenever it is closed, they are slowed down as one who comes back by itself', async () => {
  const { client, broker, clock } = await setUpOnline({ backoffBaseMs: 100, backoffCapMs: 1000 });
  client.onError(() => {});
  for (let asker = 0; asker < 2; asker += 1) {
    client.onState(({ name }) => { if (name === 'closed') client.reconnect(); });
  }
  const pauses = [];
  for (let round = 0; round < 5; round += 1) {
    broker.goodbye(4001);
    const { name, retryAt } = client.state;
    assert.equal(name, 'waiting');
    pauses.push(retryAt - clock.time);
    await clock.advance(pauses[round]);
    await broker.welcome();
  }
  assert.deepEqual(pauses, [50, 100, 200, 400, 500]);
});

test('connect asks, too, and shows what it was given', async () => {
  for (const given of [{ credential: 'key.new' }, { getToken: () => 'key.new' }]) {
    const [broker, clock] = [new Broker(), new FakeClock()];
    const options = { clock, page: fakePage(), WebSocket: broker.WebSocket };
    const url = `wss://asked.test/${Object.keys(given)}`;
    const heard = listener();
    const first = connect(url, { ...options, credential: 'key.old' });
    first.onError(() => {});
    first.subscribe('a', heard);
    await settled();
    broker.socket.accept();
    broker.goodbye(4300);
    assert.equal(first.state.reason.class, 'bad-credential');
    connect(url, { ...options, ...given });
    await clock.advance(1000);
    assert.equal((await broker.welcome()).credential.secret, 'key.new');
    await broker.subscribed();
    broker.message(11, 'x');
    assert.deepEqual([heard.payloads, first.state.name, broker.sockets.length], [['x'], 'online', 2]);
  }
});

test('what watchers do when they hear that it comes back makes no second attempt', async () => {
  let asked = 0;
  const { client, broker, clock } = await setUpOnline({ getToken: () => { asked += 1; return null; } });
  client.onError(() => {});
  client.onState(({ name }) => { if (name === 'idle') client.subscribe('a', () => {}); });
  broker.goodbye(4001);
  await clock.advance(1000);
  client.reconnect();
  await broker.welcome();
  await clock.advance(1000);
  assert.deepEqual([asked, broker.sockets.length, client.state.name], [2, 2, 'online']);
});

test('connect without a token or a credential asks for nothing, and keeps what the page shows', async () => {
  const [broker, clock] = [new Broker(), new FakeClock()];
  const options = { clock, page: fakePage(), WebSocket: broker.WebSocket };
  const url = 'wss://kicked.test/v1/bus';
  const first = connect(url, { ...options, getToken: () => 'ada.key' });
  first.onError(() => {});
  first.subscribe('a', () => {});
  await broker.welcome();
  broker.goodbye(4001);
  const second = connect(url);
  await clock.advance(600_000);
  assert.deepEqual([second.state.name, broker.sockets.length], ['closed', 1]);
  second.reconnect();
  assert.equal((await broker.welcome()).credential.secret, 'ada.key');
  assert.equal(first.state.name, 'online');
});

test('after a login the next session shows the new token, and nothing is lost or stored twice', async () => {
  let user = 'nobody.key';
  const { client, broker, clock } = await setUpOnline({ getToken: () => user });
  const heard = listener();
  client.subscribe('a', heard);
  await broker.subscribed();
  const position = client.publishAcked('a', 'x');
  const { sequence } = broker.hear('Publish');
  user = 'ada.key';
  client.reconnect();
  // Channels wait for who leaves without a goodbye.
  assert.deepEqual([broker.socket.heard, broker.socket.closed.code], [[], 4000]);
  assert.equal((await comeBack({ client, broker, clock })).credential.secret, 'ada.key');
  assert.equal((await broker.subscribed()).start.kind, 'Recover');
  const again = broker.hear('Publish');
  assert.equal(again.sequence, sequence);
  broker.published(again.request, 11);
  assert.equal((await position).offset, 11);
});

test('who asks during an attempt has another one, with another token', async () => {
  let give = (/** @type {string} */ _token) => {};
  const { client, broker, clock } = setUp({ getToken: () => new Promise((resolve) => { give = resolve; }) });
  client.subscribe('a', () => {});
  await settled();
  const giveOld = give;
  client.reconnect();
  giveOld('old');
  await clock.advance(1000);
  assert.equal(broker.sockets.length, 0, 'nothing is opened with a token of before');
  give('new');
  assert.equal((await broker.welcome()).credential.secret, 'new');
});

test('who asks during a pause waits no longer, unless the broker minds', async () => {
  const { client, broker, clock } = await setUpOnline();
  clock.chance = 0.99;
  broker.socket.drop();
  client.reconnect();
  await broker.welcome();
  broker.goodbye(4201, { retryAfter: 5000 });
  client.reconnect();
  await clock.advance(4999);
  assert.equal(broker.sockets.length, 2);
  await clock.advance(1);
  assert.equal(broker.sockets.length, 3);
});

/** A session that nine failed attempts have preceded. */
async function setUpAfterOutage() {
  const all = await setUpOnline();
  for (let count = 0; count < 9; count += 1) {
    await all.clock.advance((all.client.state.retryAt ?? all.clock.time) - all.clock.time);
    all.broker.socket.drop();
  }
  return all;
}

test('who asks twice, or soon after an outage, has another session at once all the same', async () => {
  const { client, broker, clock } = await setUpAfterOutage();
  client.reconnect();
  assert.equal(client.state.name, 'connecting');
  client.reconnect();
  const { name, retryAt, reason } = client.state;
  assert.deepEqual([name, retryAt - clock.time, reason.class], ['waiting', 125, 'renewed']);
  await clock.advance(125);
  await broker.welcome();
  await clock.advance(5000);
  client.reconnect();
  assert.equal(client.state.retryAt - clock.time, 125);
});

test('however often a page asks, that is no failure; those before it are forgotten as ever', async () => {
  const { client, broker, clock } = await setUpAfterOutage();
  await comeBack({ client, broker, clock });
  for (let count = 0; count < 9; count += 1) {
    await clock.advance(9000);
    client.reconnect();
    assert.equal(client.state.retryAt - clock.time, 125);
    await comeBack({ client, broker, clock });
  }
  broker.socket.drop();
  assert.equal(client.state.retryAt - clock.time, 15_000, 'none of these sessions was a long one');
  await comeBack({ client, broker, clock });
  await clock.advance(10_000);
  client.reconnect();
  await clock.advance(125);
  broker.socket.drop();
  assert.equal(client.state.retryAt - clock.time, 100);
});

test('what nothing needs is not opened for being asked for', async () => {
  const { client, broker, clock } = setUp({ lingerMs: 1000 });
  client.reconnect();
  await clock.advance(1000);
  assert.deepEqual([client.state.name, broker.sockets.length], ['idle', 0]);
  client.publish('a', 'x');
  await broker.welcome();
  client.onError(() => {});
  broker.goodbye(4001);
  client.reconnect();
  await clock.advance(1000);
  assert.deepEqual([client.state.name, broker.sockets.length], ['idle', 1]);
});

test('a bridge whose broker is away is not asked again: it looks itself', async () => {
  const { client, broker, clock } = await setUpOnline();
  broker.suspend(1);
  client.reconnect();
  await clock.advance(1000);
  assert.deepEqual([client.state.name, broker.sockets.length, broker.socket.closed], ['waiting', 1, null]);
});

test('a hidden page that asked connects when it is shown', async () => {
  const { client, broker, clock, page } = await setUpOnline();
  client.onError(() => {});
  broker.goodbye(4001);
  page.window.dispatchEvent(new Event('pagehide'));
  client.reconnect();
  await clock.advance(1000);
  assert.equal(broker.sockets.length, 1);
  page.window.dispatchEvent(new Event('pageshow'));
  await clock.advance(1000);
  await broker.welcome();
  assert.equal(client.state.name, 'online');
});

test('a client that was closed asks for nothing, whoever closed it first', async () => {
  const { client, broker, clock, page } = await setUpOnline();
  client.onError(() => {});
  client.subscribe('a', () => {});
  broker.goodbye(4001);
  await client.close();
  assert.throws(() => client.reconnect(), { class: 'closed' });
  page.window.dispatchEvent(new Event('online'));
  await clock.advance(600_000);
  assert.deepEqual([client.state.name, broker.sockets.length, clock.running], ['closed', 1, 0]);
});

test('a page that closes the connection itself is not warned of that, also if the broker does so meanwhile', async () => {
  const { warn } = console;
  const warned = [];
  console.warn = (line) => warned.push(line);
  try {
    for (const code of [null, 4001]) {
      const { client, broker } = await setUpOnline();
      const position = client.publishAcked('a', 'x');
      const { request } = broker.hear('Publish');
      const closing = client.close();
      if (code === null) broker.published(request, 11);
      else broker.goodbye(code);
      await Promise.allSettled([position, closing]);
      assert.equal(client.state.name, 'closed');
    }
  } finally {
    console.warn = warn;
  }
  assert.deepEqual(warned, []);
});
