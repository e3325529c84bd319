// Publishes leave in the order of their calls; what is acknowledged is stored once, whatever happens to the connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';

import { EPOCH, comeBack, listener, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

/** The outcome of a promise, as a word that can be compared. */
const outcome = (promise) => promise.then((value) => value.offset, (error) => error.class);

test('a publish carries what it was given, and asks for no answer', async () => {
  const { client, broker } = await setUpOnline();
  client.publish('a', 'hi');
  client.publish('a', { b: [1] }, { key: 'door' });
  client.publish('a', new Uint8Array([0, 255]).subarray(1));
  client.publish('a', 'hi', { kind: 'json' });
  client.publish('a', '');
  const said = [1, 2, 3, 4, 5].map(() => broker.hear('Publish'));
  assert.deepEqual(said.map(({ payload }) => payload), [
    { kind: 'text', text: 'hi' }, { kind: 'json', json: '{"b":[1]}' }, { kind: 'binary', bytes: new Uint8Array([255]) },
    { kind: 'json', json: '"hi"' }, { kind: 'text', text: '' },
  ]);
  assert.deepEqual(said.map(({ request, sequence, key }) => [request, sequence, key])[1], [0, 0, 'door']);
});

test('an acknowledged publish resolves to its place', async () => {
  const { client, broker } = await setUpOnline();
  const position = client.publishAcked('a', 'x');
  const { request, sequence } = broker.hear('Publish');
  assert.equal(sequence, 1);
  broker.published(request, 41);
  assert.deepEqual(await position, { epoch: EPOCH, offset: 41 });
});

test('a refused publish rejects with the word of the broker', async () => {
  const { client, broker } = await setUpOnline();
  const position = client.publishAcked('a', 'x');
  broker.failed(broker.hear('Publish').request, 401, 'not-authenticated');
  await assert.rejects(position, { class: 'not-authenticated', code: 401, sentence: 'no: not-authenticated' });
});

test('a refusal of a publish that nobody waits for goes to onError', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.onError(heard);
  client.publish('a', 'x');
  broker.failed(0, 403, 'forbidden');
  assert.deepEqual(heard.payloads.map((error) => error.class), ['forbidden']);
});

test('who subscribes and then publishes hears that', async () => {
  const { client, broker } = setUp();
  client.subscribe('a', () => {});
  client.publish('a', 'x');
  await broker.welcome();
  assert.deepEqual(broker.socket.heard.map(({ kind }) => kind), ['Subscribe', 'Publish']);
});

test('publishes wait for a session and leave in the order of their calls', async () => {
  const { client, broker } = setUp();
  client.publish('a', '1');
  client.publishAcked('a', '2');
  client.publish('b', '3');
  await broker.welcome();
  assert.deepEqual([1, 2, 3].map(() => broker.hear('Publish').payload.text), ['1', '2', '3']);
});

test('what was not answered is sent again under its number, before anything newer', async () => {
  const all = await setUpOnline();
  const { client, broker } = all;
  const outcomes = ['1', '2', '3'].map((text) => outcome(client.publishAcked('a', text)));
  const requests = outcomes.map(() => broker.hear('Publish').request);
  broker.published(requests[1], 12);
  broker.socket.drop();
  client.publish('a', 'forgotten');
  outcomes.push(outcome(client.publishAcked('a', '4')));
  await comeBack(all);
  const again = [1, 2, 3, 4].map(() => broker.hear('Publish'));
  const wanted = [['1', 1], ['3', 3], ['forgotten', 0], ['4', 4]];
  assert.deepEqual(again.map(({ payload, sequence }) => [payload.text, sequence]), wanted);
  again.filter(({ request }) => request > 0).forEach(({ request }, index) => broker.published(request, 20 + index));
  assert.deepEqual(await Promise.all(outcomes), [20, 12, 21, 22]);
});

test('the instance is the same in each session, and another one for each connection', async () => {
  const all = setUp();
  all.client.subscribe('a', () => {});
  const first = await all.broker.welcome();
  all.broker.socket.drop();
  assert.deepEqual((await comeBack(all)).instance, first.instance);
  const other = setUp();
  other.client.subscribe('a', () => {});
  assert.notDeepEqual((await other.broker.welcome()).instance, first.instance);
});

test('at most 128 acknowledged publishes are unanswered, and each answer lets the next one go', async () => {
  const { client, broker } = await setUpOnline();
  for (let count = 0; count < 200; count += 1) client.publishAcked('a', `${count}`);
  const { heard } = broker.socket;
  assert.equal(heard.length, 128);
  broker.published(heard[5].request, 50);
  assert.deepEqual([heard.length, heard.at(-1).sequence], [129, 129]);
  broker.published(heard[6].request, 51);
  assert.equal(heard.length, 130);
});

test('the queue has a bound in messages and in bytes, and an empty one takes any publish', async () => {
  const { client } = setUp({ queueMessages: 3, queueBytes: 1000 });
  for (const text of ['1', '2', '3']) client.publish('a', text);
  assert.throws(() => client.publish('a', '4'), { class: 'queue-full', code: 503 });
  await assert.rejects(client.publishAcked('a', '4'), { class: 'queue-full' });
  const small = setUp({ queueBytes: 1000 }).client;
  small.publish('a', 'x'.repeat(5000));
  assert.throws(() => small.publish('a', 'x'), { class: 'queue-full' });
});

test('a page may choose that publishes fail without a session', async () => {
  const { client, broker } = setUp({ offline: 'fail' });
  assert.throws(() => client.publish('a', 'x'), { class: 'offline', code: 503 });
  await assert.rejects(client.publishAcked('a', 'x'), { class: 'offline' });
  assert.equal(client.state.name, 'idle');
  client.open();
  await broker.welcome();
  client.publish('a', 'x');
  broker.hear('Publish');
});

test('mistakes are told where they are made, and nothing is sent', async () => {
  const { client, broker } = await setUpOnline({});
  const cycle = {};
  cycle.cycle = cycle;
  /** @type {[channel: string, payload: any, options: any, name: string][]} */
  const mistakes = [
    ['', 'x', {}, 'bad-channel-name'], ['a', undefined, {}, 'bad-request'], ['a', () => {}, {}, 'bad-request'],
    ['a', 1n, {}, 'bad-request'], ['a', cycle, {}, 'bad-request'], ['a', '\ud800', {}, 'bad-request'],
    ['a', 'x', { key: 'k'.repeat(256) }, 'bad-request'], ['a', 'x', { key: 7 }, 'bad-request'],
    ['a', 'x', { kind: 'binary' }, 'bad-request'], ['a', 7, { kind: 'text' }, 'bad-request'],
    ['a', 'x', { kind: 'xml' }, 'bad-request'], ['a', 'x', null, 'bad-request'],
    ['a', 'x'.repeat(65537), {}, 'payload-too-large'], ['a', new Blob(['x']), {}, 'bad-request'],
    // JSON would have {} for each of them.
    ...[Promise.resolve(1), new Map([[1, 2]]), new Set([1]), new Error('x'), new (class Empty {})()]
      .map((payload) => /** @type {[string, any, any, string]} */ (['a', payload, {}, 'bad-request'])),
    ['a', new ArrayBuffer(1), { kind: 'json' }, 'bad-request'],
  ];
  for (const [channel, payload, options, name] of mistakes) {
    assert.throws(() => client.publish(channel, payload, options), { name: 'CallboardError', class: name });
    await assert.rejects(client.publishAcked(channel, payload, options), { class: name });
  }
  broker.hearsNothing();
  client.publishAcked('a', 'x'.repeat(65536));
  assert.equal(broker.hear('Publish').sequence, 1, 'a mistake takes no number');
});

test('bytes are taken as they are when publish is called', async () => {
  const { client, broker } = setUp();
  const bytes = new Uint8Array([1, 2]);
  client.publish('a', bytes);
  client.publish('a', bytes.buffer);
  bytes[0] = 9;
  await broker.welcome();
  for (let count = 0; count < 2; count += 1) {
    assert.deepEqual(broker.hear('Publish').payload.bytes, new Uint8Array([1, 2]));
  }
});

test('bytes of another frame, or shared with a worker, are bytes', async () => {
  const { client, broker } = await setUpOnline({});
  const shared = new SharedArrayBuffer(2);
  new Uint8Array(shared).set([1, 2]);
  const ofAnotherFrame = runInNewContext('new Uint8Array([1, 2])');
  for (const payload of [ofAnotherFrame, ofAnotherFrame.buffer, shared, new Uint8Array(shared)]) {
    client.publish('a', payload);
    assert.deepEqual(broker.hear('Publish').payload, { kind: 'binary', bytes: new Uint8Array([1, 2]) });
  }
});

test('what is empty in JSON because it is empty is published so', async () => {
  const { client, broker } = await setUpOnline({});
  for (const payload of [{}, Object.create(null), runInNewContext('({})'), { toJSON: () => ({}) }]) {
    client.publish('a', payload);
    assert.deepEqual(broker.hear('Publish').payload, { kind: 'json', json: '{}' });
  }
});

test('publishes wait outside of a full socket, and go on when it has room', async () => {
  const { client, broker, clock } = await setUpOnline();
  broker.socket.bufferedAmount = 2 << 20;
  client.publish('a', '1');
  client.publish('a', '2');
  await clock.advance(1000);
  broker.hearsNothing();
  broker.socket.bufferedAmount = 0;
  await clock.advance(20);
  assert.deepEqual([1, 2].map(() => broker.hear('Publish').payload.text), ['1', '2']);
});

test('what is said while the socket closes is kept for the next session, and no browser complains', async () => {
  const { client, broker, clock } = await setUpOnline();
  broker.socket.readyState = 2;
  client.publish('a', 'x');
  client.subscribe('b', () => {});
  const position = client.publishAcked('a', 'y');
  await clock.advance(1000);
  broker.hearsNothing();
  broker.socket.drop();
  await comeBack({ client, broker, clock });
  assert.equal((await broker.subscribed()).channel, 'b');
  assert.equal(broker.hear('Publish').payload.text, 'x');
  broker.published(broker.hear('Publish').request, 12);
  assert.equal((await position).offset, 12);
});

test('a one-off channel is a name of 128 random bits', async () => {
  const { client } = setUp();
  const names = Array.from({ length: 50 }, () => client.oneOffChannel());
  assert.equal(new Set(names).size, 50);
  for (const name of names) assert.match(name, /^once\/[0-9a-f]{32}$/);
});

test('the last client that closes waits for what is on its way, and says goodbye', async () => {
  const { client, broker, clock } = await setUpOnline();
  const position = outcome(client.publishAcked('a', 'x'));
  let isClosed = false;
  const closing = client.close().then(() => { isClosed = true; });
  const { request } = broker.hear('Publish');
  await settled();
  assert.equal(isClosed, false);
  broker.hearsNothing();
  broker.published(request, 7);
  await closing;
  assert.equal(await position, 7);
  assert.equal(broker.hear('Goodbye').code, 4000);
  assert.deepEqual([client.state.name, client.state.reason.class], ['closed', 'closed']);
  assert.equal(clock.running, 0);
  await client.close();
});

test('closing has an end, also without a session', async () => {
  for (const open of [setUp, setUpOnline]) {
    const { client, clock } = await open({ closeTimeoutMs: 2000 });
    const position = outcome(client.publishAcked('a', 'x'));
    const closing = client.close();
    await clock.advance(2000);
    await closing;
    assert.equal(await position, 'closed');
    assert.equal(clock.running, 0);
  }
});

test('a closed client hears and sends nothing more', async () => {
  const { client, broker } = await setUpOnline();
  const [heard, ended] = [listener(), listener()];
  client.subscribe('a', heard, { onEnd: ended });
  await broker.subscribed();
  await client.close();
  broker.message(11, 'x');
  assert.deepEqual([heard.payloads, ended.payloads], [[], []]);
  assert.throws(() => client.publish('a', 'x'), { class: 'closed' });
  assert.throws(() => client.subscribe('a', () => {}), { class: 'closed' });
  await assert.rejects(client.open(), { class: 'closed' });
  for (const watch of ['onState', 'onGap', 'onError']) assert.throws(() => client[watch](heard), { class: 'closed' });
});

test('a client that closes waits no longer than until what it published is sent', async () => {
  const { client, broker, clock } = setUp();
  client.publish('a', 'x');
  const closing = client.close();
  await broker.welcome();
  await closing;
  assert.deepEqual(broker.socket.heard.map(({ kind }) => kind), ['Publish', 'Goodbye']);
  assert.equal(clock.running, 0);
});
