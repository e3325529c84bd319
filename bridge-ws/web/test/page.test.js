// What the browser tells of the page is heeded: the network is back, the page is shown, or lies in the back-forward cache.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EPOCH, fakePage, listener, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

/** A client between two attempts, with a long pause before it. */
async function setUpWaiting() {
  const all = setUp();
  all.client.subscribe('a', () => {});
  await settled();
  all.clock.chance = 0.99;
  all.broker.socket.drop();
  assert.equal(all.client.state.name, 'waiting');
  return all;
}

test('the network being back, and the page being shown, make the next attempt begin at once', async () => {
  for (const [target, name] of [['window', 'online'], ['document', 'visibilitychange']]) {
    const { client, broker, page } = await setUpWaiting();
    page[target].dispatchEvent(new Event(name));
    await settled();
    assert.equal(broker.sockets.length, 2);
    page[target].dispatchEvent(new Event(name));
    await settled();
    assert.deepEqual([broker.sockets.length, client.state.name], [2, 'connecting'], 'one attempt at a time');
  }
});

test('a page that becomes hidden makes no attempt for that', async () => {
  const { broker, page } = await setUpWaiting();
  page.document.visibilityState = 'hidden';
  page.document.dispatchEvent(new Event('visibilitychange'));
  await settled();
  assert.equal(broker.sockets.length, 1);
});

test('a page without needs opens nothing, whatever happens to it', async () => {
  const { client, broker, page } = setUp();
  for (const name of ['online', 'pagehide', 'pageshow']) page.window.dispatchEvent(new Event(name));
  await settled();
  assert.deepEqual([broker.sockets.length, client.state.name], [0, 'idle']);
});

/** @param {boolean} isKept Whether the page goes into the back-forward cache. */
function pagehide(isKept) {
  return Object.assign(new Event('pagehide'), { persisted: isKept });
}

test('a page that goes for good says goodbye, so that no channel waits for it', async () => {
  const { client, broker, page } = await setUpOnline();
  client.subscribe('a', () => {});
  await broker.subscribed();
  page.window.dispatchEvent(pagehide(false));
  assert.equal(broker.hear('Goodbye').code, 4000);
  assert.ok(broker.socket.closed);
});

test('a page that goes into the back-forward cache leaves without a goodbye, and recovers when it is shown again', async () => {
  const { client, broker, clock, page } = await setUpOnline();
  const heard = listener();
  client.subscribe('a', heard);
  await broker.subscribed();
  page.window.dispatchEvent(pagehide(true));
  assert.deepEqual(broker.socket.heard, []);
  assert.ok(broker.socket.closed);
  assert.deepEqual([client.state.name, client.state.retryAt, client.state.reason.class], ['waiting', null, 'hidden']);
  page.window.dispatchEvent(new Event('online'));
  await clock.advance(600_000);
  assert.equal(broker.sockets.length, 1);
  page.window.dispatchEvent(new Event('pageshow'));
  await broker.welcome();
  const { start } = await broker.subscribed({ number: 3 });
  assert.deepEqual(start, { kind: 'Recover', position: { epoch: EPOCH, offset: 10 } });
  broker.message(11, 'x', 3);
  assert.deepEqual(heard.payloads, ['x']);
});

test('what was subscribed and published while the page was hidden is done when it is shown', async () => {
  const { client, broker, page } = setUp();
  page.window.dispatchEvent(new Event('pagehide'));
  client.subscribe('a', () => {});
  client.publish('a', 'x');
  await settled();
  assert.equal(broker.sockets.length, 0);
  page.window.dispatchEvent(new Event('pageshow'));
  await broker.welcome();
  assert.deepEqual(broker.socket.heard.map(({ kind }) => kind), ['Subscribe', 'Publish']);
});

test('a page that is visible is back, though no browser said so', async () => {
  const { client, broker, page } = await setUpOnline();
  page.window.dispatchEvent(new Event('pagehide'));
  page.document.visibilityState = 'hidden';
  page.document.dispatchEvent(new Event('visibilitychange'));
  assert.deepEqual([client.state.name, broker.sockets.length], ['waiting', 1]);
  page.document.visibilityState = 'visible';
  page.document.dispatchEvent(new Event('visibilitychange'));
  await broker.welcome();
  page.window.dispatchEvent(new Event('pageshow'));
  await settled();
  assert.deepEqual([client.state.name, broker.sockets.length], ['online', 2]);
});

test('a network that flaps makes no busy loop', async () => {
  const { client, broker, clock, page } = setUp();
  client.subscribe('a', () => {});
  await settled();
  for (let count = 0; count < 400; count += 1) {
    if (!broker.socket.closed) broker.socket.drop();
    await settled();
    page.window.dispatchEvent(new Event('online'));
    await clock.advance(5);
  }
  // Not four hundred: one at once each second, and those that come after their growing pauses anyway.
  assert.ok(broker.sockets.length > 1 && broker.sockets.length <= 8, `${broker.sockets.length} in two seconds`);
});

test('a page that was left during an attempt gives it up', async () => {
  const { client, broker, clock, page } = setUp();
  client.subscribe('a', () => {});
  await settled();
  page.window.dispatchEvent(new Event('pagehide'));
  assert.ok(broker.socket.closed);
  assert.equal(clock.running, 0);
});

/** A page, and the names of the events that are listened to there. */
function watchedPage() {
  const page = fakePage();
  const watched = new Set();
  for (const target of [page.window, page.document]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (name, ...rest) => {
      watched.add(name);
      addEventListener.call(target, name, ...rest);
    };
    target.removeEventListener = (name, ...rest) => {
      watched.delete(name);
      removeEventListener.call(target, name, ...rest);
    };
  }
  return { page, watched };
}

test('a closed connection watches the page no more', async () => {
  const { page, watched } = watchedPage();
  const { client } = await setUpOnline({ page });
  assert.deepEqual([...watched].sort(), ['online', 'pagehide', 'pageshow', 'visibilitychange']);
  await client.close();
  assert.deepEqual([...watched], []);
});

test('a connection that the broker ends during its farewell watches the page no more either', async () => {
  const { page, watched } = watchedPage();
  const { client, broker, clock } = await setUpOnline({ page });
  const position = client.publishAcked('a', 'x');
  const closing = client.close();
  broker.goodbye(4001);
  await assert.rejects(position, { class: 'closed', code: 4001 });
  await closing;
  assert.deepEqual([[...watched], clock.running], [[], 0]);
});

test('where there is no page, as in Node, the client works without one', async () => {
  const { client, broker } = setUp({ page: { window: undefined, document: undefined } });
  client.subscribe('a', () => {});
  await broker.welcome();
  assert.equal(client.state.name, 'online');
});
