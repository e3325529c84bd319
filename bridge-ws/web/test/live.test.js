// A listener hears whether the messages of its channel come, in the order of what happens and never before it can.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { comeBack, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

/** A listener's word on whether its messages come, in order. */
function words() {
  const heard = [];
  return { heard, onLive: (isLive) => heard.push(isLive), onEnd: (error) => heard.push(error.class) };
}

test('messages come from the answer on to the end of the session, and again from the next answer on', async () => {
  const { client, broker, clock } = await setUpOnline();
  const { heard, onLive } = words();
  client.subscribe('a', () => {}, { onLive });
  await settled();
  assert.deepEqual(heard, []);
  await broker.subscribed();
  assert.deepEqual(heard, [true]);
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  assert.deepEqual(heard, [true, false]);
  await broker.subscribed();
  assert.deepEqual(heard, [true, false, true]);
});

test('who comes late hears it behind the call that subscribed', async () => {
  const { client, broker } = await setUpOnline();
  client.subscribe('a', () => {});
  await broker.subscribed();
  const { heard, onLive } = words();
  client.subscribe('a', () => {}, { onLive });
  assert.deepEqual(heard, []);
  await settled();
  assert.deepEqual(heard, [true]);
});

test('who leaves or closes hears that no more come, if some could', async () => {
  const { client, broker } = await setUpOnline();
  const [left, closed, early] = [words(), words(), words()];
  const stop = client.subscribe('a', () => {}, left);
  client.subscribe('a', () => {}, closed);
  await broker.subscribed();
  client.subscribe('b', () => {}, early)();
  stop();
  client.close();
  await settled();
  assert.deepEqual([left.heard, closed.heard, early.heard], [[true, false], [true, false], []]);
});

test('a channel that is refused is never live', async () => {
  const { client, broker, clock } = await setUpOnline();
  const { heard, ...options } = words();
  client.subscribe('a', () => {}, options);
  broker.failed((await broker.asked()).request, 503, 'unavailable');
  await clock.advance(1000);
  assert.deepEqual(heard, []);
  broker.failed(broker.hear('Subscribe').request, 403, 'forbidden');
  await settled();
  assert.deepEqual(heard, ['forbidden']);
});

test('a gap is told before the channel is live again', async () => {
  const { client, broker, clock } = await setUpOnline();
  const { heard, onLive } = words();
  client.subscribe('a', () => {}, { onLive, onGap: ({ why }) => heard.push(why) });
  await broker.subscribed();
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  await broker.subscribed({ epoch: 78, offset: 3, recovered: false });
  assert.deepEqual(heard, [true, false, 'new-epoch', true]);
});
