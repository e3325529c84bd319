// Where no WebSocket can be opened, as on a server that renders a page, nothing throws, nothing hangs and nothing is kept:
// what needed a session is told why there is none.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { connect } from '../index.js';
import { Broker, EPOCH, fakePage, listener } from './support/broker.js';
import { FakeClock, settled } from './support/clock.js';

const URL_OF_BROKER = 'ws://server.test/v1/bus';

/** A client as on a server, with a clock of the test's: `{ client, clock, errors }`. */
function setUpServer(url, options = {}) {
  const clock = new FakeClock();
  const page = { window: undefined, document: undefined };
  const client = connect(url, { shared: false, clock, page, ...options });
  const errors = [];
  client.onError((error) => errors.push(error));
  return { client, clock, errors };
}

/** Runs a test as on Node 20, which has no WebSocket, whatever runs it. */
function withoutWebSocket(promise, body) {
  test(promise, async () => {
    const { WebSocket } = globalThis;
    globalThis.WebSocket = undefined;
    try {
      await body();
    } finally {
      globalThis.WebSocket = WebSocket;
    }
  });
}

withoutWebSocket('a client that nothing needs is idle, and starts nothing', async () => {
  for (const url of [URL_OF_BROKER, '/v1/bus', undefined]) {
    const { client, clock } = setUpServer(url);
    assert.equal(client.oneOffChannel().length, 37);
    client.use({ incoming: (message) => message });
    await settled();
    assert.deepEqual([client.state.name, client.state.reason, client.identity, clock.running], ['idle', null, undefined, 0]);
    await client.close();
    assert.equal(client.state.name, 'closed');
  }
});

withoutWebSocket('every need is told what is missing, after the call has returned', async () => {
  const getToken = () => assert.fail('a server that renders a page needs no token');
  /** @type {[url: string | undefined, name: string, hint: RegExp][]} */
  const places = [
    [URL_OF_BROKER, 'no-websocket', /package ws/],
    [undefined, 'no-page', /give the full URL/],
    ['/v1/bus', 'no-page', /give the full URL/],
  ];
  for (const [url, name, hint] of places) {
    const { client, clock, errors } = setUpServer(url, { getToken });
    const ended = [];
    const { ready } = client.subscribe('a', () => {}, { onEnd: (error) => ended.push(error) });
    const acked = client.publishAcked('a', 'x');
    const open = client.open();
    assert.deepEqual([client.state.name, ended.length], ['idle', 0], 'nothing is told before the calls have returned');
    const wanted = (error) => error.class === name && hint.test(error.sentence) && error.code === 0;
    const told = Promise.all([ready, acked, open].map((promise) => assert.rejects(promise, wanted)));
    await clock.advance(0);
    await told;
    assert.deepEqual(ended.map((error) => error.class), [name]);
    assert.deepEqual([client.state.name, client.state.reason.class, client.state.retryAt], ['idle', name, null]);
    assert.deepEqual([errors.length, clock.running], [0, 0], 'each was told where it was asked for, and nothing goes on');
  }
});

withoutWebSocket('what nobody waits for is told to `onError`, once a turn', async () => {
  const { client, clock, errors } = setUpServer(URL_OF_BROKER);
  client.publish('a', 'x');
  client.subscribe('a', () => {});
  await clock.advance(0);
  assert.deepEqual(errors.map((error) => error.class), ['no-websocket']);
  client.publish('a', 'y');
  await clock.advance(100);
  assert.equal(errors.length, 2);
});

withoutWebSocket('a server that asks again and again keeps nothing of it', async () => {
  const { client, clock, errors } = setUpServer(URL_OF_BROKER, { queueMessages: 1 });
  for (let request = 0; request < 100; request += 1) {
    client.publish('a', 'x');
    client.subscribe(`a/${request}`, () => {});
    await clock.advance(100);
  }
  assert.deepEqual([errors.length, clock.running], [100, 0]);
});

withoutWebSocket('who subscribes again whenever it ended stops nobody else', async () => {
  const { client, clock } = setUpServer(URL_OF_BROKER);
  let count = 0;
  const again = () => {
    count += 1;
    client.subscribe('a', () => {}, { onEnd: again });
  };
  again();
  await clock.advance(0);
  assert.equal(count, 2, 'the first is told at once');
  await clock.advance(1000);
  assert.ok(count > 2 && count <= 12, `${count} times in a second`);
  await client.close();
  assert.equal(clock.running, 0);
});

withoutWebSocket('a need that goes away in time is told nothing', async () => {
  const { client, clock, errors } = setUpServer(URL_OF_BROKER);
  const ended = [];
  client.subscribe('a', () => {}, { onEnd: (error) => ended.push(error) })();
  await clock.advance(1000);
  assert.deepEqual([client.state.name, ended, errors, clock.running], ['idle', [], [], 0]);
});

withoutWebSocket('nobody is told of a session that is no longer wanted', async () => {
  const { client, clock } = setUpServer(URL_OF_BROKER);
  const states = listener();
  client.onState(states);
  client.hold()();
  await clock.advance(1000);
  assert.deepEqual([states.payloads, client.state.reason, clock.running], [[], null, 0]);
});

withoutWebSocket('a client that closes with publishes on their way waits for nothing', async () => {
  const { client, clock } = setUpServer(URL_OF_BROKER);
  const acked = client.publishAcked('a', 'x').catch((error) => error.class);
  const closing = client.close();
  await clock.advance(0);
  await closing;
  assert.equal(await acked, 'no-websocket');
  assert.deepEqual([client.state.name, clock.running], ['closed', 0]);
});

withoutWebSocket('a WebSocket that is brought later is used by the next need', async () => {
  const { client, clock } = setUpServer(URL_OF_BROKER);
  const failed = client.open().catch((error) => error.class);
  await clock.advance(0);
  assert.equal(await failed, 'no-websocket');
  const broker = new Broker();
  globalThis.WebSocket = /** @type {any} */ (broker.WebSocket);
  await clock.advance(60_000);
  assert.equal(broker.sockets.length, 0, 'nothing needs one');
  const heard = listener();
  const opened = client.open();
  const { ready } = client.subscribe('a', heard);
  await broker.welcome();
  await broker.subscribed();
  assert.deepEqual([await ready, (await opened).agent], [{ epoch: EPOCH, offset: 10 }, 'scripted/1']);
  broker.message(11, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

withoutWebSocket('a session that could not be opened is not kept open later', async () => {
  const { client, clock } = setUpServer(URL_OF_BROKER);
  const failed = client.open().catch((error) => error.class);
  await clock.advance(0);
  assert.equal(await failed, 'no-websocket');
  const broker = new Broker();
  globalThis.WebSocket = /** @type {any} */ (broker.WebSocket);
  client.publish('a', 'x');
  await broker.welcome();
  broker.hear('Publish');
  await clock.advance(30_000);
  assert.deepEqual([client.state.name, broker.hear('Goodbye').code], ['idle', 4000]);
});

withoutWebSocket('a constructor that was given is used where the platform has none', async () => {
  const broker = new Broker();
  const { client } = setUpServer(URL_OF_BROKER, { WebSocket: broker.WebSocket });
  const opened = client.open();
  await broker.welcome();
  assert.equal((await opened).agent, 'scripted/1');
});

test('a relative URL opens nothing where there is no page, whatever constructor there is', async () => {
  const broker = new Broker();
  const { client, clock } = setUpServer('/v1/bus', { WebSocket: broker.WebSocket });
  const failed = client.open().catch((error) => error.class);
  await clock.advance(60_000);
  assert.deepEqual([await failed, broker.sockets.length], ['no-page', 0]);
});

test('what is shared stays shared, and is usable after it was told', async () => {
  const clock = new FakeClock();
  const one = connect('/shared-on-a-server', { clock, page: fakePage() });
  const other = connect('/shared-on-a-server');
  const failed = one.open().catch((error) => error.class);
  await clock.advance(0);
  assert.deepEqual([await failed, other.state.reason.class], ['no-page', 'no-page']);
  const ended = [];
  other.subscribe('a', () => {}, { onEnd: (error) => ended.push(error.class) });
  await clock.advance(100);
  assert.deepEqual(ended, ['no-page']);
  await Promise.all([one.close(), other.close()]);
});

test('a process that only connects ends by itself, and says nothing', () => {
  const program = `
    import { connect } from ${JSON.stringify(new URL('../index.js', import.meta.url).href)};
    connect();
    connect('wss://server.test/v1/bus').onState(() => {});
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8', timeout: 60_000,
  });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});
