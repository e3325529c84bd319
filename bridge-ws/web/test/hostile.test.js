// Whatever a broker sends: the connection ends with a code and a reason, and nothing is thrown into the page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeClient } from '../codec.js';
import { EPOCH, listener, reported, setUp, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';
import { FromClient } from './support/judge.js';
import { FRAMES, MALFORMED, bytes, chance, mutated } from './support/vectors.js';

const SEED = 4400;
const SESSIONS = 300;

/** Says something and looks how the client took it. */
async function faultOf(say, options) {
  const all = await setUpOnline(options);
  const { client, broker } = all;
  client.subscribe('a', () => {});
  await broker.subscribed();
  const errors = await reported(() => say(broker, all));
  assert.deepEqual(errors, []);
  assert.deepEqual([client.state.name, client.state.reason?.class], ['waiting', 'broker-at-fault']);
  assert.ok(broker.socket.closed.reason.length > 0);
  const goodbye = broker.socket.heard.at(-1);
  assert.deepEqual([goodbye.kind, goodbye.code], ['Goodbye', broker.socket.closed.code]);
  return broker.socket.closed.code;
}

test('bytes that are no frame end the session as malformed', async () => {
  const bodies = MALFORMED.filter(({ direction }) => direction === 'server');
  assert.ok(bodies.length > 10);
  for (const { name, body } of bodies) assert.equal(await faultOf((broker) => broker.socket.sayBytes(body)), 4400, name);
});

test('a text, and a message that is nothing at all, end it as malformed', async () => {
  for (const data of ['{"kind":"Ping"}', '', null, undefined, 7]) {
    assert.equal(await faultOf((broker) => broker.socket.sayData(data)), 4400);
  }
});

test('a message above the limit ends it before it is read', async () => {
  assert.equal(await faultOf((broker) => broker.socket.sayData(new ArrayBuffer(1048577))), 4402);
});

test('a frame that may not stand where it stands ends it as out of order', async () => {
  const message = (offset, channel = 1) => ({
    kind: 'Message', channel, offset, published: 0, publisher: null, key: null, payload: { kind: 'text', text: '' },
  });
  const subscribed = (more) => ({
    kind: 'Ok', request: 2,
    answer: { kind: 'Subscribed', channel: 2, position: { epoch: 1, offset: 5 }, next: 6, recovered: true, ...more },
  });
  const welcome = FRAMES.find(({ name }) => name === 'welcome').frame;
  const faults = {
    'a hole': [message(12)],
    'a repeat': [message(11), message(11)],
    'a number that was not given': [message(1, 9)],
    'a skip back': [{ kind: 'Skipped', channel: 1, through: 10 }],
    'a reset back': [{ kind: 'Reset', channel: 1, position: { epoch: EPOCH, offset: 9 } }],
    'Welcome twice': [welcome],
    'an answer to nobody': [{ kind: 'Ok', request: 9, answer: { kind: 'Done' } }],
    'an answer to request 0': [{ kind: 'Ok', request: 0, answer: { kind: 'Done' } }],
    'an answer twice': [{ kind: 'Ok', request: 1, answer: { kind: 'Done' } }],
    'a failure twice': [{ kind: 'Failed', request: 1, code: 500, class: '', sentence: '', data: null }],
    'another answer than was asked for': [{ kind: 'Ok', request: 2, answer: { kind: 'Done' } }],
    'a subscription that begins at 0': [subscribed({ next: 0 })],
    'a subscription that begins behind its end': [subscribed({ next: 7 })],
    'one number for two channels': [subscribed({ channel: 1 })],
    'a number for what is no name': [{ kind: 'Named', channel: 9, name: 'x'.repeat(256), position: { epoch: 1, offset: 0 } }],
    'one number for two names': [{ kind: 'Named', channel: 1, name: 'b', position: { epoch: 1, offset: 0 } }],
  };
  for (const [name, frames] of Object.entries(faults)) {
    const code = await faultOf((broker, { client }) => {
      client.subscribe('second', () => {});
      for (const frame of frames) broker.say(frame);
    });
    assert.equal(code, 4401, name);
  }
});

test('a recovery that contradicts itself ends the session', async () => {
  const answers = [
    { epoch: 78, offset: 20, next: 11, recovered: true }, { offset: 20, next: 12, recovered: true },
    { offset: 20, next: 11, recovered: false },
  ];
  for (const answer of answers) {
    const { client, broker, clock } = await setUpOnline();
    client.subscribe('a', () => {});
    await broker.subscribed();
    broker.socket.drop();
    await clock.advance(client.state.retryAt - clock.time);
    await broker.welcome();
    await broker.subscribed(answer);
    assert.equal(broker.socket.closed.code, 4401, JSON.stringify(answer));
  }
});

test('the sessions of malformed.json end where their last line stands', async () => {
  const sessions = MALFORMED.filter(({ direction }) => direction === 'session');
  const [ofBrokers, ofClients] = [[], []];
  for (const session of sessions) (session.lines.at(-1).from === 'server' ? ofBrokers : ofClients).push(session);
  assert.ok(ofBrokers.length > 5 && ofClients.length > 5);
  for (const { name, lines } of ofBrokers) {
    const { client, broker, clock } = setUp();
    client.open();
    await settled();
    broker.socket.accept();
    const said = lines.filter(({ from }) => from === 'server');
    const { socket } = broker;
    for (const { body } of said.slice(0, -1)) {
      socket.sayBytes(body);
      // A Hello that follows may have a pause before it.
      await clock.advance(1000);
    }
    const isOver = socket.closed !== null;
    socket.sayBytes(said.at(-1).body);
    // Behind Goodbye the socket is closed, and nothing more is listened to.
    assert.equal(socket.closed.code, isOver ? 4000 : 4401, name);
  }
  // The scripted broker of these tests holds this client to the same rules.
  for (const { name, lines, error } of ofClients) {
    const judge = new FromClient();
    const said = lines.filter(({ from }) => from === 'client').map(({ body }) => decodeClient(body));
    for (const frame of said.slice(0, -1)) judge.judge(frame);
    assert.throws(() => judge.judge(said.at(-1)), { message: error }, name);
  }
});

test('a broker that pings and does not read is given up before its Pongs fill the memory', async () => {
  const fault = faultOf((broker) => {
    broker.socket.bufferedAmount = 16 << 20;
    broker.say({ kind: 'Ping', nonce: 1 });
    assert.equal(broker.hear('Pong').nonce, 1);
    broker.socket.bufferedAmount += 1;
    broker.say({ kind: 'Ping', nonce: 2 });
  });
  assert.equal(await fault, 4101);
});

test('advice that is no number is no advice', async () => {
  const { client, broker } = await setUpOnline();
  for (const advice of ['{"valueOf":0,"toString":0}', '"4000"', '-7', '[[4000]]', 'null', '1e999']) {
    client.subscribe(`a${advice}`, () => {});
    const { request } = await broker.asked();
    const data = { kind: 'json', json: `{"retry_after_ms":${advice}}` };
    const errors = await reported(() => broker.failed(request, 429, 'too-many-requests', data));
    assert.deepEqual(errors, []);
  }
  assert.equal(client.state.name, 'online');
});

test('every Ping has its Pong', async () => {
  const { broker } = await setUpOnline();
  for (const nonce of [0, 300, Number.MAX_SAFE_INTEGER]) broker.say({ kind: 'Ping', nonce });
  assert.deepEqual(broker.socket.heard.map(({ nonce }) => nonce), [0, 300, Number.MAX_SAFE_INTEGER]);
});

test('a server that does not take the subprotocol is told nothing', async () => {
  const { client, broker } = setUp();
  client.subscribe('a', () => {});
  await settled();
  broker.socket.accept('');
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'broker-at-fault']);
  broker.hearsNothing();
  assert.equal(broker.socket.closed.code, 4400);
});

test('a WebSocket that cannot be made is a reason, not an exception', async () => {
  const { client } = setUp({ WebSocket: class { constructor() { throw new DOMException('mixed content'); } } });
  client.subscribe('a', () => {});
  await settled();
  assert.deepEqual([client.state.name, client.state.reason.class], ['waiting', 'unreachable']);
});

test('names of objects in payloads touch no object of the page', async () => {
  const { client, broker } = await setUpOnline();
  const heard = listener();
  client.subscribe('__proto__', heard);
  await broker.subscribed();
  broker.message(11, { kind: 'json', json: '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}' });
  broker.failed(0, 400, '__proto__', { kind: 'json', json: '{"__proto__":{"polluted":1}}' });
  assert.equal({}.polluted, undefined);
  assert.equal(heard.payloads.length, 1);
});

test('mutated frames in any order never throw into the page, and what goes on is well', async () => {
  const dice = chance(SEED);
  const frames = FRAMES.filter(({ direction }) => direction === 'server');
  const reasons = new Set();
  for (let session = 0; session < SESSIONS; session += 1) {
    const { client, broker } = await setUpOnline();
    client.onError(() => {});
    client.subscribe('a', () => {});
    client.publishAcked('a', 'x').catch(() => {});
    await broker.subscribed({ number: 12, offset: 41 });
    const errors = await reported(() => {
      for (let count = 0; count < 30; count += 1) {
        const { body } = frames[dice.below(frames.length)];
        const said = dice.below(3) === 0 ? mutated(body, dice) : body;
        assert.doesNotThrow(() => broker.socket.sayBytes(said), `seed ${SEED}, ${Buffer.from(said).toString('hex')}`);
      }
    });
    assert.deepEqual(errors, []);
    reasons.add(client.state.reason?.class);
  }
  assert.ok(reasons.has('broker-at-fault'));
});

test('bytes of a golden frame cut short end the session at once', async () => {
  assert.equal(await faultOf((broker) => broker.socket.sayBytes(bytes('060c2a'))), 4400);
});
