// What is polled is read at once when the bus says so, seldom while the bus tells everything, and never twice at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { poll } from '../index.js';
import { comeBack, fakePage, reported, setUp, setUpOnline } from './support/broker.js';
import { FakeClock, settled } from './support/clock.js';

const INTERVAL = 1000;
const SLOW = 10 * INTERVAL;

/** Something to read: each run waits until the test ends it, unless `isQuick`. */
function source({ isQuick = true } = {}) {
  const runs = [];
  let running = 0;
  const run = ({ signal }) => {
    assert.equal(running, 0, 'two runs never overlap');
    running += 1;
    return new Promise((resolve, reject) => {
      const end = (settle) => (value) => {
        running -= 1;
        settle(value);
      };
      runs.push({ signal, end: end(resolve), fail: end(reject) });
      if (isQuick) runs.at(-1).end();
    });
  };
  return Object.assign(run, { runs });
}

/** A poll on a channel of an open session whose `Subscribe` is answered. */
async function setUpLive(run, options = {}) {
  const all = await setUpOnline();
  const polling = poll(all.client, 'a', INTERVAL, run, { clock: all.clock, page: all.page, ...options });
  await all.broker.subscribed();
  return { ...all, polling };
}

/** The same in its slow pace. */
async function setUpSlow(run, options) {
  const all = await setUpLive(run, options);
  await all.clock.advance(INTERVAL);
  assert.equal(all.polling.state.isSlow, true);
  run.runs.length = 0;
  return all;
}

function show(page, isVisible) {
  page.document.visibilityState = isVisible ? 'visible' : 'hidden';
  page.document.dispatchEvent(new Event('visibilitychange'));
}

test('without a bus it runs at once and then at its interval', async () => {
  const [clock, run] = [new FakeClock(), source()];
  poll(null, null, INTERVAL, run, { clock, page: fakePage() });
  await settled();
  assert.equal(run.runs.length, 1);
  await clock.advance(3 * INTERVAL - 1);
  assert.equal(run.runs.length, 3);
  await clock.advance(1);
  assert.equal(run.runs.length, 4);
});

test('the interval begins when a run has ended, well or not', async () => {
  const [clock, run] = [new FakeClock(), source({ isQuick: false })];
  poll(null, null, INTERVAL, run, { clock, page: fakePage() });
  await clock.advance(5 * INTERVAL);
  assert.equal(run.runs.length, 1);
  run.runs[0].end();
  await clock.advance(INTERVAL - 1);
  assert.equal(run.runs.length, 1);
  await clock.advance(1);
  assert.equal(run.runs.length, 2);
  const errors = await reported(async () => {
    run.runs[1].fail(new Error('no'));
    await clock.advance(INTERVAL - 1);
  });
  assert.deepEqual(errors.map(({ message }) => message), ['no']);
  assert.equal(run.runs.length, 2);
  await clock.advance(1);
  assert.equal(run.runs.length, 3);
});

test('what throws at once fails like what rejects', async () => {
  const clock = new FakeClock();
  let count = 0;
  const errors = await reported(async () => {
    poll(null, null, INTERVAL, () => {
      count += 1;
      throw new Error('no');
    }, { clock, page: fakePage() });
    await clock.advance(INTERVAL);
  });
  assert.equal(count, 2);
  assert.equal(errors.length, 2);
});

test('a message makes it run at once, and the interval begins anew', async () => {
  const run = source();
  const { broker, clock } = await setUpSlow(run);
  await clock.advance(SLOW - 1);
  assert.equal(run.runs.length, 0);
  broker.message(11, 'changed');
  assert.equal(run.runs.length, 1);
  await clock.advance(SLOW - 1);
  assert.equal(run.runs.length, 1);
  await clock.advance(1);
  assert.equal(run.runs.length, 2);
});

test('messages during a run cause one more run behind it', async () => {
  const run = source({ isQuick: false });
  const { broker, clock } = await setUpLive(run);
  for (const offset of [11, 12, 13]) broker.message(offset, 'changed');
  await settled();
  assert.equal(run.runs.length, 1);
  run.runs[0].end();
  await settled();
  assert.equal(run.runs.length, 2);
  run.runs[1].end();
  await clock.advance(INTERVAL - 1);
  assert.equal(run.runs.length, 2);
});

test('a run that began before the channel was subscribed proves nothing: the next comes at the interval', async () => {
  const run = source();
  const { clock, polling } = await setUpLive(run);
  assert.deepEqual([run.runs.length, polling.state.isSlow], [1, false]);
  await clock.advance(INTERVAL);
  assert.deepEqual([run.runs.length, polling.state.isSlow], [2, true]);
  await clock.advance(SLOW - 1);
  assert.equal(run.runs.length, 2);
  await clock.advance(1);
  assert.equal(run.runs.length, 3);
});

test('on a channel that the page is subscribed to already, the first run is proof', async () => {
  const { client, broker, clock, page } = await setUpOnline();
  client.subscribe('a', () => {});
  await broker.subscribed();
  const run = source();
  const polling = poll(client, 'a', INTERVAL, run, { clock, page });
  await settled();
  assert.deepEqual([run.runs.length, polling.state.isSlow], [1, true]);
  await clock.advance(SLOW - 1);
  assert.equal(run.runs.length, 1);
});

test('a run that failed proves nothing', async () => {
  const run = source({ isQuick: false });
  const { broker, clock, polling } = await setUpLive(run);
  run.runs[0].end();
  await clock.advance(INTERVAL);
  run.runs[1].end();
  await settled();
  assert.equal(polling.state.isSlow, true);
  broker.message(11, 'changed');
  await reported(async () => {
    run.runs[2].fail(new Error('no'));
    await clock.advance(INTERVAL);
  });
  assert.equal(run.runs.length, 4);
});

test('while the connection is lost it runs at the interval, first somewhere in its midst', async () => {
  const run = source();
  const { broker, clock, polling } = await setUpSlow(run);
  await clock.advance(5 * INTERVAL);
  clock.chance = 0.25;
  broker.socket.drop();
  await settled();
  assert.deepEqual(polling.state, { name: 'waiting', isSlow: false, dueAt: clock.time + 0.75 * INTERVAL });
  // No broker answers.
  await clock.advance(0.75 * INTERVAL);
  assert.equal(run.runs.length, 1);
  await clock.advance(INTERVAL);
  assert.equal(run.runs.length, 2);
});

test('a connection that comes back without a gap makes it slow again, and what was missed makes it run', async () => {
  const run = source();
  const { client, broker, clock, polling } = await setUpSlow(run);
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  assert.equal(polling.state.isSlow, false);
  await broker.subscribed();
  assert.deepEqual([run.runs.length, polling.state.isSlow], [0, true]);
  broker.message(11, 'published meanwhile');
  await settled();
  assert.equal(run.runs.length, 1);
});

test('a gap makes it run at once', async () => {
  const run = source();
  const { client, broker, clock, polling } = await setUpSlow(run);
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  await broker.subscribed({ offset: 20, recovered: false });
  assert.deepEqual([run.runs.length, polling.state.isSlow], [1, true]);
});

test('while the broker behind a bridge is away it runs at the interval, and is slow when it is back', async () => {
  const run = source();
  const { broker, clock, polling } = await setUpSlow(run);
  broker.suspend(1);
  await clock.advance(2 * INTERVAL);
  assert.equal(run.runs.length, 2);
  broker.say({ kind: 'Resumed', nonce: 1 });
  await clock.advance(250);
  await broker.welcomeAgain();
  assert.equal(polling.state.isSlow, false);
  await broker.subscribed();
  assert.equal(polling.state.isSlow, true);
  await clock.advance(9 * INTERVAL);
  assert.equal(run.runs.length, 2);
});

test('a gap during a run causes one more behind it', async () => {
  const run = source({ isQuick: false });
  const { broker } = await setUpLive(run);
  broker.say({ kind: 'Reset', channel: 1, position: { epoch: 77, offset: 20 } });
  run.runs[0].end();
  await settled();
  assert.equal(run.runs.length, 2);
});

test('a channel that is refused for now, or for good, is polled at the interval', async () => {
  for (const [code, name] of [[503, 'unavailable'], [403, 'forbidden']]) {
    const { client, broker, clock, page } = await setUpOnline();
    const [run, ends] = [source(), []];
    poll(client, 'a', INTERVAL, run, { clock, page, onEnd: (error) => ends.push(error.class) });
    await settled();
    broker.failed(broker.hear('Subscribe').request, code, name);
    await clock.advance(3 * INTERVAL);
    assert.equal(run.runs.length, 4);
    assert.deepEqual(ends, name === 'forbidden' ? ['forbidden'] : []);
  }
});

test('who closes the client or loses it for good polls on at the interval', async () => {
  for (const end of [({ client }) => client.close(), ({ broker }) => broker.goodbye(4001)]) {
    const run = source();
    const all = await setUpSlow(run);
    all.client.onError(() => {});
    end(all);
    await all.clock.advance(2 * INTERVAL);
    assert.equal(run.runs.length, 2);
  }
});

test('a hidden page runs nothing, and once when it is shown if that is due', async () => {
  const run = source();
  const { broker, clock, page, polling } = await setUpSlow(run);
  show(page, false);
  assert.equal(polling.state.name, 'hidden');
  await clock.advance(SLOW - 1);
  show(page, true);
  await settled();
  assert.equal(run.runs.length, 0);
  show(page, false);
  await clock.advance(5 * SLOW);
  assert.equal(run.runs.length, 0);
  show(page, true);
  await settled();
  assert.equal(run.runs.length, 1);
  show(page, false);
  broker.message(11, 'changed');
  broker.message(12, 'changed');
  await settled();
  assert.equal(run.runs.length, 1);
  show(page, true);
  await settled();
  assert.equal(run.runs.length, 2);
});

test('a page that was never shown has not run yet', async () => {
  const [clock, run, page] = [new FakeClock(), source(), fakePage()];
  show(page, false);
  poll(null, null, INTERVAL, run, { clock, page });
  await clock.advance(SLOW);
  assert.equal(run.runs.length, 0);
  show(page, true);
  assert.equal(run.runs.length, 1);
});

test('who asks for it runs it at once', async () => {
  const run = source();
  const { polling } = await setUpSlow(run);
  polling.now();
  assert.equal(run.runs.length, 1);
});

test('who stops it is left alone, and the run on its way is told', async () => {
  const run = source({ isQuick: false });
  const { broker, clock, page, polling } = await setUpLive(run);
  polling.stop();
  assert.equal(run.runs[0].signal.aborted, true);
  const errors = await reported(async () => {
    run.runs[0].fail(run.runs[0].signal.reason);
    await settled();
  });
  assert.deepEqual(errors, []);
  assert.equal(polling.state.name, 'stopped');
  broker.message(11, 'changed');
  polling.now();
  show(page, true);
  await clock.advance(SLOW);
  assert.equal(run.runs.length, 1);
  assert.equal(broker.hear('Unsubscribe').channel, 'a');
  assert.equal(clock.running, 0);
});

test('who starts it again waits for the run on its way', async () => {
  const run = source({ isQuick: false });
  const { client, polling } = await setUpLive(run);
  polling.stop();
  polling.start(client, 'a', INTERVAL);
  await settled();
  assert.equal(run.runs.length, 1);
  run.runs[0].end();
  await settled();
  assert.equal(run.runs.length, 2);
  assert.equal(run.runs[1].signal.aborted, false);
});

test('a run that hangs is aborted, told and given up', async () => {
  const [clock, runs] = [new FakeClock(), []];
  const run = ({ signal }) => new Promise((end) => {
    runs.push({ signal, end });
  });
  const polling = poll(null, null, INTERVAL, run, { clock, page: fakePage(), timeoutMs: 5000 });
  await clock.advance(4999);
  assert.equal(runs[0].signal.aborted, false);
  const errors = await reported(() => clock.advance(1));
  assert.equal(errors[0].class, 'poll-timeout');
  assert.equal(runs[0].signal.aborted, true);
  await clock.advance(INTERVAL);
  assert.equal(runs.length, 2);
  // It ends late, which is not the end of the run that is on its way now.
  runs[0].end();
  await settled();
  polling.now();
  assert.deepEqual([runs.length, polling.state.name], [2, 'running']);
});

test('a clock that is set back makes no pause longer', async () => {
  const [clock, run, page] = [new FakeClock(), source(), fakePage()];
  poll(null, null, INTERVAL, run, { clock, page });
  await settled();
  clock.offset = -3_600_000;
  show(page, true);
  await clock.advance(INTERVAL);
  assert.equal(run.runs.length, 2);
});

test('its state is told at each change', async () => {
  const [run, states] = [source(), []];
  const { clock, polling } = await setUpLive(run, { onState: (state) => states.push(state) });
  const began = clock.time;
  await clock.advance(INTERVAL);
  polling.stop();
  assert.deepEqual(states, [
    { name: 'running', isSlow: false, dueAt: null },
    { name: 'waiting', isSlow: false, dueAt: began + INTERVAL },
    { name: 'running', isSlow: false, dueAt: null },
    { name: 'waiting', isSlow: true, dueAt: began + INTERVAL + SLOW },
    { name: 'stopped', isSlow: false, dueAt: null },
  ]);
});

test('what cannot be polled is refused at once', () => {
  const { client, clock, page } = setUp();
  const options = { clock, page };
  const run = () => {};
  for (const interval of /** @type {any[]} */ ([0, -1, NaN, Infinity, '1000', undefined])) {
    assert.throws(() => poll(client, 'a', interval, run, options), { class: 'bad-request' });
  }
  assert.throws(() => poll(client, '/a', INTERVAL, run, options), { class: 'bad-channel-name' });
  assert.throws(() => poll(client, 'a', INTERVAL, null, options), { class: 'bad-request' });
  assert.throws(() => poll(client, 'a', INTERVAL, run, { ...options, slowMs: 0 }), { class: 'bad-request' });
  assert.throws(() => poll(client, 'a', INTERVAL, run, { ...options, timeoutMs: -1 }), { class: 'bad-request' });
  assert.equal(clock.running, 0);
});
