// However many listeners a channel has, it is one subscription on the wire, and no listener is in another's way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { EPOCH, listener, reported, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';

test('nothing is opened before something needs a session', async () => {
  const { client, broker, clock } = setUp();
  await clock.advance(60_000);
  assert.equal(broker.sockets.length, 0);
  assert.equal(client.state.name, 'idle');
  client.subscribe('a', () => {});
  await broker.welcome();
  assert.equal(client.state.name, 'online');
});

test('a socket asks for the binary dialect, and Hello says who is there', async () => {
  const { client, broker } = setUp({ agent: 'page/7' });
  client.subscribe('a', () => {});
  const hello = await broker.welcome();
  assert.deepEqual(broker.socket.protocols, ['callboard.v1']);
  assert.equal(broker.socket.url, 'ws://broker.test/v1/bus');
  assert.equal(hello.agent, 'page/7');
  assert.equal(hello.instance.length, 16);
  assert.deepEqual([hello.capabilities, hello.credential], [0, null]);
});

test('messages come to the listener by their kind, with where they are from', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.subscribe('demo/hello', heard);
  await broker.subscribed();
  broker.say({
    kind: 'Message', channel: 1, offset: 11, published: 5, publisher: 'user-7', key: 'door',
    payload: { kind: 'text', text: 'hi' },
  });
  broker.message(12, { kind: 'json', json: '{"a":[1,null]}' });
  broker.message(13, { kind: 'binary', bytes: new Uint8Array([0, 255]) });
  assert.deepEqual(heard.payloads, ['hi', { a: [1, null] }, new Uint8Array([0, 255])]);
  assert.deepEqual(heard.calls.map(({ channel }) => channel), ['demo/hello', 'demo/hello', 'demo/hello']);
  assert.deepEqual(heard.calls[0].message, {
    channel: 'demo/hello', payload: 'hi', kind: 'text', error: null, position: { epoch: EPOCH, offset: 11 }, published: 5,
    publisher: 'user-7', key: 'door',
  });
});

test('JSON that does not parse comes as its text, with the reason', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.subscribe('a', heard);
  await broker.subscribed();
  broker.message(11, { kind: 'json', json: '{"a":' });
  assert.deepEqual(heard.payloads, ['{"a":']);
  assert.ok(heard.calls[0].message.error instanceof SyntaxError);
});

test('two listeners of a channel share one subscription and both hear everything', async () => {
  const { client, broker } = await setUpOnline();
  const [first, second] = [listener(), listener()];
  client.subscribe('a', first);
  client.subscribe('a', second);
  await broker.subscribed();
  broker.message(11, 'x');
  broker.hearsNothing();
  assert.deepEqual([first.payloads, second.payloads], [['x'], ['x']]);
});

test('one function may listen twice, and each ending ends one', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  const stop = client.subscribe('a', heard);
  client.subscribe('a', heard);
  await broker.subscribed();
  broker.message(11, 'x');
  stop();
  stop();
  broker.message(12, 'y');
  assert.deepEqual(heard.payloads, ['x', 'x', 'y']);
});

test('the last listener out unsubscribes, after a grace', async () => {
  const { client, broker, clock } = await setUpOnline();
  const [stopFirst, stopSecond] = [client.subscribe('a', () => {}), client.subscribe('a', () => {})];
  await broker.subscribed();
  stopFirst();
  await clock.advance(10_000);
  broker.hearsNothing();
  stopSecond();
  await clock.advance(499);
  broker.hearsNothing();
  await clock.advance(1);
  const { request, channel } = broker.hear('Unsubscribe');
  assert.equal(channel, 'a');
  broker.message(11, 'on its way');
  broker.ok(request);
  assert.equal(client.state.name, 'online');
});

test('a listener that comes back within the grace finds its channel as it was, and nobody flaps', async () => {
  const { client, broker, clock } = await setUpOnline();
  const [before, after] = [listener(), listener()];
  const stop = client.subscribe('a', before);
  await broker.subscribed();
  stop();
  broker.message(11, 'to nobody');
  await clock.advance(400);
  client.subscribe('a', after);
  await clock.advance(10_000);
  broker.message(12, 'x');
  broker.hearsNothing();
  assert.deepEqual([before.payloads, after.payloads], [[], ['x']]);
});

test('who comes while a channel is being left waits for the answer and asks anew', async () => {
  const { client, broker, clock } = await setUpOnline();
  const stop = client.subscribe('a', () => {});
  await broker.subscribed();
  stop();
  await clock.advance(500);
  const { request } = broker.hear('Unsubscribe');
  const heard = listener();
  client.subscribe('a', heard);
  broker.hearsNothing();
  broker.message(11, 'to nobody');
  broker.ok(request);
  await broker.subscribed({ offset: 11 });
  broker.message(12, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('a channel that was left before the broker answered is unsubscribed with the answer', async () => {
  const { client, broker, clock } = await setUpOnline();
  const stop = client.subscribe('a', () => {});
  await settled();
  stop();
  await clock.advance(500);
  await broker.subscribed();
  broker.ok(broker.hear('Unsubscribe').request);
  broker.hearsNothing();
});

test('who comes after a question was left, and it was refused, asks anew', async () => {
  const { client, broker, clock } = await setUpOnline();
  const stop = client.subscribe('a', () => {});
  const { request } = await broker.asked();
  stop();
  await clock.advance(500);
  const heard = listener();
  client.subscribe('a', heard, { rewind: 1 });
  broker.failed(request, 403, 'forbidden');
  const { start } = await broker.subscribed({ next: 10 });
  assert.deepEqual(start, { kind: 'Rewind', messages: 1 });
  broker.message(10, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('a listener that throws hurts nobody else, and is reported', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.subscribe('a', () => { throw new Error('mine'); });
  client.subscribe('a', heard);
  await broker.subscribed();
  const errors = await reported(() => broker.message(11, 'x'));
  assert.deepEqual(errors.map(({ message }) => message), ['mine']);
  broker.message(12, 'y');
  assert.deepEqual(heard.payloads, ['x', 'y']);
  assert.equal(client.state.name, 'online');
});

test('a listener that ends another one, or itself, during a message is obeyed at once', async () => {
  const { client, broker } = await setUpOnline();
  const second = listener();
  const stops = [];
  stops.push(client.subscribe('a', () => stops.forEach((stop) => stop())));
  stops.push(client.subscribe('a', second));
  await broker.subscribed();
  broker.message(11, 'x');
  assert.deepEqual(second.payloads, []);
});

test('a listener that subscribes during a message hears from the next one on', async () => {
  const { client, broker } = await setUpOnline();
  const inner = listener();
  let isFirst = true;
  client.subscribe('a', () => {
    if (isFirst) client.subscribe('a', inner);
    isFirst = false;
  });
  await broker.subscribed();
  broker.message(11, 'x');
  broker.message(12, 'y');
  assert.deepEqual(inner.payloads, ['y']);
});

test('ready tells where the subscription stands, or why it does not', async () => {
  const { client, broker } = await setUpOnline();
  const { ready } = client.subscribe('a', () => {});
  await broker.subscribed({ offset: 41 });
  assert.deepEqual(await ready, { epoch: EPOCH, offset: 41 });
  assert.deepEqual(await client.subscribe('a', () => {}).ready, { epoch: EPOCH, offset: 41 });
  const stop = client.subscribe('b', () => {});
  stop();
  await assert.rejects(stop.ready, { class: 'unsubscribed' });
});

test('rewind begins with the last messages, also for who comes late', async () => {
  const { client, broker } = await setUpOnline();
  const [first, late, live] = [listener(), listener(), listener()];
  client.subscribe('a', first, { rewind: 3 });
  const { start } = await broker.subscribed({ offset: 10, next: 8 });
  assert.deepEqual(start, { kind: 'Rewind', messages: 3 });
  client.subscribe('a', live);
  for (const offset of [8, 9, 10, 11]) broker.message(offset, `${offset}`);
  const { ready } = client.subscribe('a', late, { rewind: 2 });
  assert.deepEqual(late.payloads, [], 'nobody is called before subscribe has returned');
  await settled();
  broker.message(12, '12');
  assert.deepEqual(first.payloads, ['8', '9', '10', '11', '12']);
  assert.deepEqual(live.payloads, ['11', '12']);
  assert.deepEqual(late.payloads, ['10', '11', '12']);
  assert.deepEqual(await ready, { epoch: EPOCH, offset: 9 });
  broker.hearsNothing();
});

test('who comes late hears what was before first, also when the next message comes in the same turn', async () => {
  const { client, broker } = await setUpOnline();
  const [late, heard] = [listener(), []];
  client.subscribe('a', () => {}, { rewind: 3 });
  await broker.subscribed();
  for (const offset of [11, 12]) broker.message(offset, `${offset}`);
  client.subscribe('a', late, { rewind: 2 });
  client.subscribe('a', (payload) => heard.push(payload), { rewind: 1, onGap: ({ why }) => heard.push(why) });
  broker.message(13, '13');
  client.subscribe('a', (payload) => heard.push(payload), { rewind: 1, onGap: ({ why }) => heard.push(why) });
  broker.say({ kind: 'Reset', channel: 1, position: { epoch: EPOCH, offset: 20 } });
  await settled();
  assert.deepEqual(late.payloads, ['11', '12', '13']);
  assert.deepEqual(heard, ['12', '13', 'reset', '13', 'reset']);
});

test('listeners that come before the question is asked get what each of them asked for', async () => {
  const { client, broker } = setUp();
  const [live, one, three] = [listener(), listener(), listener()];
  client.subscribe('a', live);
  client.subscribe('a', one, { rewind: 1 });
  client.subscribe('a', three, { rewind: 3 });
  await broker.welcome();
  const { start } = await broker.subscribed({ offset: 10, next: 8 });
  assert.deepEqual(start, { kind: 'Rewind', messages: 3 });
  for (const offset of [8, 9, 10, 11]) broker.message(offset, `${offset}`);
  assert.deepEqual(live.payloads, ['11']);
  assert.deepEqual(one.payloads, ['10', '11']);
  assert.deepEqual(three.payloads, ['8', '9', '10', '11']);
});

test('a rewind within the grace begins anew if it wants more than was kept', async () => {
  const { client, broker, clock } = await setUpOnline();
  const stop = client.subscribe('a', () => {});
  await broker.subscribed();
  stop();
  const heard = listener();
  client.subscribe('a', heard, { rewind: 2 });
  broker.ok(broker.hear('Unsubscribe').request);
  await broker.subscribed({ next: 9 });
  for (const offset of [9, 10]) broker.message(offset, `${offset}`);
  await clock.advance(1000);
  broker.hearsNothing();
  assert.deepEqual(heard.payloads, ['9', '10']);
});

test('what cannot share a subscription is refused where it is asked, and the other goes on', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.subscribe('a', heard, { excludeOwn: true });
  const { options } = await broker.subscribed();
  assert.equal(options, 1);
  assert.throws(() => client.subscribe('a', () => {}), { class: 'already-subscribed', code: 409 });
  broker.say({ kind: 'Skipped', channel: 1, through: 12 });
  broker.message(13, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('a refusal ends the subscription, and its listener is told', async () => {
  const { client, broker } = await setUpOnline();
  const ended = listener();
  const { ready } = client.subscribe('user/7', () => {}, { onEnd: ended });
  broker.failed((await broker.asked()).request, 403, 'reserved-channel', { kind: 'json', json: '{"why":1}' });
  assert.equal(ended.payloads.length, 1);
  const [error] = ended.payloads;
  assert.equal(error.class, 'reserved-channel');
  assert.deepEqual([error.code, error.sentence, error.data], [403, 'no: reserved-channel', { why: 1 }]);
  await assert.rejects(ready, { class: 'reserved-channel' });
});

test('a refusal that nobody listens for goes to onError, once', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.onError(heard);
  client.subscribe('a', () => {});
  client.subscribe('a', () => {});
  broker.failed((await broker.asked()).request, 403, 'forbidden');
  assert.deepEqual(heard.payloads.map((error) => error.class), ['forbidden']);
});

test('what the broker cannot do now is asked for again, with a growing pause', async () => {
  const { client, broker, clock } = await setUpOnline({ backoffBaseMs: 100 });
  const heard = listener();
  client.subscribe('a', heard);
  clock.chance = 1;
  for (const pause of [100, 200, 400]) {
    broker.failed((await broker.asked()).request, 503, 'unavailable');
    await clock.advance(pause - 1);
    broker.hearsNothing();
    await clock.advance(1);
  }
  await broker.subscribed();
  broker.message(11, 'x');
  assert.deepEqual(heard.payloads, ['x']);
});

test('a subscription that ended for good is kept by nobody, though nobody stops it', async () => {
  setFlagsFromString('--expose-gc');
  const { client, broker } = await setUpOnline();
  const heard = [1, 2].map(() => {
    const one = listener();
    client.subscribe('a', one, { onEnd: () => {} });
    return new WeakRef(one);
  });
  broker.failed((await broker.asked()).request, 403, 'forbidden');
  await settled();
  runInNewContext('gc')();
  assert.deepEqual(heard.map((ref) => ref.deref()), [undefined, undefined]);
  assert.equal(client.state.name, 'online');
});

test('the broker may say how long to wait', async () => {
  const { client, broker, clock } = await setUpOnline();
  client.subscribe('a', () => {});
  const data = { kind: 'json', json: '{"retry_after_ms":4000}' };
  broker.failed((await broker.asked()).request, 429, 'too-many-requests', data);
  await clock.advance(3999);
  broker.hearsNothing();
  await clock.advance(1);
  broker.hear('Subscribe');
});

test('mistakes are told where they are made, and nothing is sent', async () => {
  const { client, broker } = await setUpOnline();
  /** @type {[channel: string, heard: any, options: any, name: string][]} */
  const mistakes = [
    ['a//b', () => {}, {}, 'bad-channel-name'], ['a', 'no function', {}, 'bad-request'],
    ['a', () => {}, { rewind: -1 }, 'bad-request'], ['a', () => {}, { rewind: 0.5 }, 'bad-request'],
    ['a', () => {}, { excludeOwn: 'yes' }, 'bad-request'], ['a', () => {}, { onGap: 7 }, 'bad-request'],
    ['a', () => {}, null, 'bad-request'],
  ];
  for (const [channel, heard, options, name] of mistakes) {
    assert.throws(() => client.subscribe(channel, heard, options), { name: 'CallboardError', class: name });
  }
  broker.hearsNothing();
});

test('channels that the broker gives unasked are judged and disturb nobody', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.subscribe('a', heard);
  await broker.subscribed();
  broker.say({ kind: 'Named', channel: 5, name: 'user/7', position: { epoch: 3, offset: 0 } });
  broker.message(1, 'for a member', 5);
  broker.say({ kind: 'Event', channel: 5, offset: 2, id: 1, service: 's', event: 'e', payload: { kind: 'text', text: '' } });
  broker.say({ kind: 'Membership', name: 'user/7', member: false });
  broker.message(11, 'x');
  assert.deepEqual(heard.payloads, ['x']);
  assert.equal(client.state.name, 'online');
  broker.message(3, 'after the membership', 5);
  assert.equal(broker.socket.closed.code, 4401);
});
