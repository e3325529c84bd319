// One WebSocket for the page and a URL, however many parts of the page and copies of this package ask for it.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { connect } from '../index.js';
import { Broker, fakePage, listener } from './support/broker.js';
import { FakeClock, settled } from './support/clock.js';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
let count = 0;

/** Options for a URL that no other test has. */
function setUpShared() {
  const broker = new Broker();
  const clock = new FakeClock();
  count += 1;
  return { broker, clock, url: `ws://shared-${count}.test/`, options: { clock, page: fakePage(), WebSocket: broker.WebSocket } };
}

/** Another copy of the package, as a bundler makes one for a widget that brings its own. */
async function copyOfThePackage(t) {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.js') || name === 'package.json')) {
    cpSync(join(FOLDER, file), join(folder, file));
  }
  return import(pathToFileURL(join(folder, 'index.js')).href);
}

test('calls for one URL share a socket and a subscription, however the URL is written', async () => {
  const { broker, url, options } = setUpShared();
  const [first, second] = [listener(), listener()];
  connect(url, options).subscribe('a', first);
  connect(new URL(url.replace('ws:', 'http:')), options).subscribe('a', second);
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, 'x');
  assert.equal(broker.sockets.length, 1);
  assert.deepEqual([first.payloads, second.payloads], [['x'], ['x']]);
});

test('another copy of the package shares them too', async (t) => {
  const { broker, url, options } = setUpShared();
  const copy = await copyOfThePackage(t);
  assert.notEqual(copy.connect, connect);
  const [first, second] = [listener(), listener()];
  connect(url, options).subscribe('a', first);
  const client = copy.connect(url, options);
  const { ready } = client.subscribe('a', second);
  await broker.welcome();
  await broker.subscribed();
  await ready;
  broker.message(11, 'x');
  client.publish('a', 'y');
  assert.equal(broker.sockets.length, 1);
  assert.deepEqual([first.payloads, second.payloads], [['x'], ['x']]);
  assert.equal(broker.hear('Publish').payload.text, 'y');
  assert.throws(() => client.publish('', 'y'), { name: 'CallboardError', class: 'bad-channel-name' });
});

test('other URLs, and connections that are not shared, have sockets of their own', async () => {
  const { broker, url, options } = setUpShared();
  connect(url, options).subscribe('a', () => {});
  connect(`${url}other`, options).subscribe('a', () => {});
  connect(url, { ...options, shared: false }).subscribe('a', () => {});
  await settled();
  assert.equal(broker.sockets.length, 3);
});

test('the first options hold, and later ones are checked all the same', async () => {
  const { broker, url, options } = setUpShared();
  connect(url, { ...options, agent: 'first' }).subscribe('a', () => {});
  connect(url, { ...options, agent: 'second' }).subscribe('b', () => {});
  assert.throws(() => connect(url, { ...options, lingerMs: -1 }), { class: 'bad-request' });
  assert.equal((await broker.welcome()).agent, 'first');
});

test('who has a credential never acts under another one, nor as nobody', async () => {
  const { broker, url, options } = setUpShared();
  const secrets = [undefined, 'ada.key', { strategy: 'apikey', secret: 'ada.key' }, 'grace.key', undefined, 'ada.key'];
  const clients = secrets.map((credential) => connect(url, { ...options, credential }));
  for (const client of clients) client.subscribe('a', () => {});
  await settled();
  assert.equal(broker.sockets.length, 3);
  const shown = broker.sockets.map((socket) => {
    socket.accept();
    return socket.hear('Hello').credential?.secret;
  });
  assert.deepEqual(shown, [undefined, 'ada.key', 'grace.key']);
});

test('a getToken holds until whoever brought it has gone and another one comes', async () => {
  const { broker, clock, url, options } = setUpShared();
  const join = (token) => connect(url, { ...options, getToken: token && (() => token) });
  const [watching, ada, eve] = [join(), join('ada'), join('eve')];
  watching.hold();
  const shown = [(await broker.welcome()).credential.secret];
  const next = async (change) => {
    const before = broker.sockets.length;
    change();
    await clock.advance(1000);
    if (broker.sockets.length > before) shown.push((await broker.welcome()).credential?.secret);
  };
  await next(() => eve.close());
  await next(() => join('grace').close());
  await next(() => ada.close());
  await next(() => join());
  await next(() => join('grace'));
  await next(() => join('eve'));
  assert.deepEqual(shown, ['ada', 'grace']);
});

test('a getToken that comes to a session of nobody makes it a session of somebody', async () => {
  const { broker, clock, url, options } = setUpShared();
  const heard = listener();
  connect(url, options).subscribe('a', heard);
  await broker.welcome();
  await broker.subscribed();
  connect(url, { ...options, getToken: () => 'ada' });
  await clock.advance(1000);
  assert.equal((await broker.welcome()).credential.secret, 'ada');
  await broker.subscribed({ number: 3 });
  broker.message(11, 'x', 3);
  assert.deepEqual([broker.sockets.length, heard.payloads], [2, ['x']]);
});

test('a getToken never takes the place of a fixed credential', async () => {
  const { broker, url, options } = setUpShared();
  connect(url, { ...options, credential: 'ada.key' }).hold();
  connect(url, { ...options, getToken: () => 'grace' }).hold();
  await settled();
  const shown = broker.sockets.map((socket) => {
    socket.accept();
    return socket.hear('Hello').credential?.secret;
  });
  assert.deepEqual(shown, ['ada.key', 'grace']);
});

test('another credential takes the place of one that the broker refused, and of no other', async () => {
  for (const code of [4300, 4001]) {
    const { broker, clock, url, options } = setUpShared();
    const first = connect(url, { ...options, credential: 'old' });
    first.onError(() => {});
    first.hold();
    await broker.welcome();
    broker.goodbye(code);
    assert.equal(first.state.name, 'closed');
    connect(url, { ...options, credential: 'new' }).hold();
    await clock.advance(1000);
    assert.equal((await broker.welcome()).credential.secret, 'new');
    assert.equal(broker.sockets.length, 2);
    assert.equal(first.state.name, code === 4300 ? 'online' : 'closed');
  }
});

test('a part of the page that closes takes only its own away', async () => {
  const { broker, clock, url, options } = setUpShared();
  const [mine, others] = [connect(url, options), connect(url, options)];
  const [heard, left] = [listener(), listener()];
  mine.subscribe('a', left);
  mine.subscribe('b', left);
  mine.onState(left);
  others.subscribe('a', heard);
  await broker.welcome();
  left.payloads.length = 0;
  await broker.subscribed();
  await broker.subscribed({ number: 2 });
  await mine.close();
  broker.message(11, 'x');
  await clock.advance(500);
  assert.equal(broker.hear('Unsubscribe').channel, 'b');
  assert.deepEqual([heard.payloads, left.payloads], [['x'], []]);
  assert.deepEqual([others.state.name, mine.state.name, mine.state.reason.class], ['online', 'closed', 'closed']);
  await others.close();
  assert.equal(others.state.name, 'closed');
});

test('who waits for a session and closes is told, though others of the page wait on', async () => {
  const { broker, url, options } = setUpShared();
  const [mine, others] = [connect(url, options), connect(url, options)];
  const [opened, other] = [mine.open(), others.open()];
  mine.close();
  await assert.rejects(opened, { class: 'closed' });
  await broker.welcome();
  assert.equal((await other).agent, 'scripted/1');
});

test('who connects after the last one closed gets a session', async () => {
  const { broker, url, options } = setUpShared();
  const first = connect(url, options);
  first.open();
  await broker.welcome();
  await first.close();
  const second = connect(url, options);
  second.open();
  await broker.welcome();
  assert.deepEqual([broker.sockets.length, second.state.name], [2, 'online']);
});

test('who connects while the last one is still closing gets a new connection', async () => {
  const { broker, url, options } = setUpShared();
  const first = connect(url, options);
  const position = first.publishAcked('a', 'x').catch(() => {});
  await broker.welcome();
  const closing = first.close();
  const second = connect(url, options);
  second.publish('a', 'y');
  await broker.welcome();
  assert.equal(broker.sockets.length, 2);
  broker.sockets[0].say({
    kind: 'Ok', request: 1, answer: { kind: 'Published', position: { epoch: 1, offset: 1 } },
  });
  await Promise.all([closing, position]);
  assert.equal(second.state.name, 'online');
});
