// Transforms see every message and every publish, in order, and may change it, drop it, or answer in the broker's place.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { listener, reported, setUpOnline } from './support/broker.js';

async function setUpHearing(options) {
  const all = await setUpOnline(options);
  const heard = listener();
  all.client.subscribe('a', heard);
  await all.broker.subscribed();
  return { ...all, heard };
}

test('incoming transforms change messages, in order', async () => {
  const exclaim = (message) => { message.payload += '!'; };
  const shout = (message) => ({ ...message, payload: message.payload.toUpperCase() });
  const { client, broker, heard } = await setUpHearing({ incoming: [exclaim, shout] });
  const off = client.use({ incoming: (message) => ({ ...message, payload: `<${message.payload}>` }) });
  broker.message(11, 'x');
  off();
  off();
  broker.message(12, 'y');
  assert.deepEqual(heard.payloads, ['<X!>', 'Y!']);
});

test('an incoming transform drops a message, and nobody calls that a gap', async () => {
  const { client, broker, heard } = await setUpHearing({ incoming: ({ payload }) => (payload === 'x' ? null : undefined) });
  broker.message(11, 'x');
  broker.message(12, 'y');
  assert.deepEqual(heard.payloads, ['y']);
  assert.equal(client.state.name, 'online');
});

test('an incoming transform that throws, or waits, drops the message and is reported', async () => {
  const { client, broker, heard } = await setUpHearing();
  const offs = [client.use({ incoming: () => { throw new Error('mine'); } })];
  const errors = await reported(() => broker.message(11, 'x'));
  offs.pop()();
  client.use({ incoming: /** @type {any} */ (async (message) => message) });
  errors.push(...await reported(() => broker.message(12, 'y')));
  assert.deepEqual(errors.map(({ class: name, message }) => name ?? message), ['mine', 'async-transform']);
  assert.deepEqual(heard.payloads, []);
  assert.equal(client.state.name, 'online');
});

test('outgoing transforms change publishes before they are checked', async () => {
  const outgoing = [
    (draft) => { draft.channel = `tenant/${draft.channel}`; },
    (draft) => ({ ...draft, payload: { sealed: draft.payload }, key: 'k' }),
  ];
  const { client, broker } = await setUpOnline({ outgoing });
  client.publish('a', 'x');
  const { channel, key, payload } = broker.hear('Publish');
  assert.deepEqual([channel, key, payload], ['tenant/a', 'k', { kind: 'json', json: '{"sealed":"x"}' }]);
  client.use({ outgoing: (draft) => ({ ...draft, channel: '//' }) });
  assert.throws(() => client.publish('a', 'x'), { class: 'bad-channel-name' });
});

test('an outgoing transform drops a publish', async () => {
  const { client, broker } = await setUpOnline({ outgoing: () => null });
  client.publish('a', 'x');
  await assert.rejects(client.publishAcked('a', 'x'), { class: 'dropped' });
  broker.hearsNothing();
});

test('an outgoing transform answers in the place of the broker, and those behind it see nothing', async () => {
  const seen = [];
  const outgoing = [
    ({ channel }, answer) => (channel === 'a' ? answer(42) : undefined),
    ({ channel }) => { seen.push(channel); },
  ];
  const { client, broker } = await setUpOnline({ outgoing });
  assert.equal(await client.publishAcked('a', 'x'), 42);
  client.publish('a', 'x');
  client.publish('b', 'x');
  assert.equal(broker.hear('Publish').channel, 'b');
  broker.hearsNothing();
  assert.deepEqual(seen, ['b']);
});

test('an outgoing transform that throws fails the publish where it is called', async () => {
  const { client, broker } = await setUpOnline({ outgoing: () => { throw new Error('mine'); } });
  assert.throws(() => client.publish('a', 'x'), { message: 'mine' });
  await assert.rejects(client.publishAcked('a', 'x'), { message: 'mine' });
  broker.hearsNothing();
});

test('what is no function is refused at once', async () => {
  const { client } = await setUpOnline();
  for (const given of [undefined, { incoming: 'x' }]) {
    assert.throws(() => client.use(/** @type {any} */ (given)), { class: 'bad-request' });
  }
  assert.throws(() => client.use(/** @type {any} */ ({ outgoing: [() => {}, 7] })), { class: 'bad-request' });
});

test('what an incoming transform gives in the place of a message is kept for who comes late', async () => {
  const incoming = ({ channel, payload }) => /** @type {any} */ ({ channel, payload });
  const { client, broker } = await setUpOnline({ incoming });
  const late = listener();
  client.subscribe('a', () => {}, { rewind: 3 });
  await broker.subscribed();
  broker.message(11, 'x');
  client.subscribe('a', late, { rewind: 1 });
  broker.message(12, 'y');
  assert.deepEqual(late.payloads, ['x', 'y']);
});
