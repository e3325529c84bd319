// A broker that says nothing for longer than it promised is given up, and a page that slept is not taken for that.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

/** A session in which the broker promised to say something every 10 s; the grace is 5 s. */
async function setUpPromised(interval = 10_000) {
  const all = await setUpOnline();
  all.broker.socket.drop();
  await all.clock.advance(all.client.state.retryAt - all.clock.time);
  await all.broker.welcome({ ping_interval: interval });
  return all;
}

const silence = (broker) => broker.socket.closed?.code;

test('a silence beyond the promise and its grace ends the session, and another one follows', async () => {
  const { client, broker, clock } = await setUpPromised();
  await clock.advance(14_999);
  assert.equal(client.state.name, 'online');
  await clock.advance(1);
  assert.equal(silence(broker), 4203);
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'idle']);
  await clock.advance(client.state.retryAt - clock.time);
  await broker.welcome();
  assert.equal(client.state.name, 'online');
});

test('everything that the broker says is a sign of life', async () => {
  const { broker, clock } = await setUpPromised();
  for (let count = 0; count < 20; count += 1) {
    await clock.advance(14_000);
    broker.say({ kind: 'Ping', nonce: count });
  }
  assert.equal(silence(broker), undefined);
  await clock.advance(15_000);
  assert.equal(silence(broker), 4203);
});

test('a broker that promises nothing may be silent for ever', async () => {
  const { client, broker, clock } = await setUpPromised(0);
  await clock.advance(100_000_000);
  assert.equal(client.state.name, 'online');
  assert.equal(silence(broker), undefined);
});

test('the longest promise is kept in mind, and nothing overflows', async () => {
  const { client, clock } = await setUpPromised(Number.MAX_SAFE_INTEGER);
  await clock.advance(2 ** 32);
  assert.equal(client.state.name, 'online');
});

test('a page that slept gives what the broker said meanwhile a chance to arrive', async () => {
  const { client, broker, clock } = await setUpPromised();
  await clock.sleep(3_600_000);
  assert.equal(client.state.name, 'online');
  broker.say({ kind: 'Ping', nonce: 1 });
  await clock.advance(14_999);
  assert.equal(client.state.name, 'online');
  await clock.advance(1);
  assert.equal(silence(broker), 4203);
});

test('a page that slept, and hears nothing for a grace after that, comes back', async () => {
  const { client, broker, clock } = await setUpPromised();
  await clock.sleep(3_600_000);
  await clock.advance(4_999);
  assert.equal(client.state.name, 'online');
  await clock.advance(1);
  assert.equal(silence(broker), 4203);
});

test('a page that sleeps again and again never decides in its sleep', async () => {
  const { client, clock } = await setUpPromised();
  for (let count = 0; count < 5; count += 1) await clock.sleep(3_600_000);
  assert.equal(client.state.name, 'online');
});

test('a hidden page whose timers are throttled to once a minute still notices', async () => {
  const { broker, clock } = await setUpPromised();
  await clock.sleep(60_000);
  assert.equal(silence(broker), undefined);
  await clock.sleep(60_000);
  assert.equal(silence(broker), 4203);
});

test('a page that is shown again is not judged by the silence before', async () => {
  const { client, broker, clock, page } = await setUpPromised();
  clock.time += 40_000;
  page.document.dispatchEvent(new Event('visibilitychange'));
  await settled();
  assert.equal(client.state.name, 'online');
  await clock.advance(4_000);
  broker.say({ kind: 'Ping', nonce: 1 });
  await clock.advance(10_000);
  assert.equal(client.state.name, 'online');
});

test('a clock that is set ends no session that is well, and keeps no dead one', async () => {
  for (const offset of [-86_400_000, 86_400_000]) {
    const { client, broker, clock } = await setUpPromised();
    clock.offset = offset;
    await clock.advance(15_000);
    assert.equal(client.state.name, 'online');
    broker.say({ kind: 'Ping', nonce: 1 });
    await clock.advance(14_999);
    assert.equal(client.state.name, 'online');
    const { socket } = broker;
    await clock.advance(15_001);
    assert.equal(socket.closed?.code, 4203, `${offset}`);
  }
});

test('a clock that was set back long ago keeps no dead session', async () => {
  const { broker, clock } = await setUpPromised();
  clock.offset = -86_400_000;
  const { socket } = broker;
  await clock.advance(30_000);
  assert.equal(socket.closed?.code, 4203);
});
