// Components go on in another session when the page asks for one, and are in no session of a user before them.

import assert from 'node:assert/strict';

import { connect } from '../index.js';
import { settled } from './support/clock.js';
import { promise } from './support/react.js';

/** A component that keeps what it hears in `heard`, as `[tag, payload, channel]`. */
function widget({ hooks }, heard) {
  return function Widget({ channel, tag = '' }) {
    hooks.useMessageBus(channel, (payload, name) => heard.push([tag, payload, name]));
    return null;
  };
}

promise('when the connection is closed for good components wait, and go on when the page asks', async (scene) => {
  const { broker, clock, h } = scene;
  const heard = [];
  const Widget = widget(scene, heard);
  const Status = () => scene.hooks.useConnectionState().name;
  const before = h(Widget, { channel: 'a', tag: 'before', key: 1 });
  await scene.render(h(Status, { key: 0 }), before);
  await broker.welcome();
  await broker.subscribed();
  const bus = connect(scene.url, scene.options);
  bus.onError(() => {});
  await scene.act(() => broker.goodbye(4001));
  assert.equal(scene.text, 'closed');
  await scene.render(h(Status, { key: 0 }), before, h(Widget, { channel: 'b', tag: 'after', key: 2 }));
  await clock.advance(600_000);
  assert.equal(broker.sockets.length, 1, 'nobody comes back unasked');
  await scene.act(() => bus.reconnect());
  await scene.act(() => broker.welcome());
  await broker.subscribed({ number: 1 });
  await broker.subscribed({ number: 2 });
  broker.message(11, 'x', 1);
  broker.message(11, 'y', 2);
  assert.deepEqual(heard, [['before', 'x', 'a'], ['after', 'y', 'b']]);
  assert.equal(scene.text, 'online');
  await bus.close();
});

promise('a provider with another credential moves its components to a session under that', async (scene) => {
  const { broker, clock, h } = scene;
  const heard = [];
  const shown = h(widget(scene, heard), { channel: 'a' });
  const { warn } = console;
  const warned = [];
  console.warn = (line) => warned.push(line);
  try {
    scene.options.credential = { strategy: 'apikey', secret: 'old.key' };
    await scene.render(shown);
    await settled();
    broker.socket.accept();
    broker.goodbye(4300);
  } finally {
    console.warn = warn;
  }
  assert.match(warned.join(), /^callboard: the connection is closed: .*4300/);
  for (const secret of ['new.key', 'another.key']) {
    scene.options = { ...scene.options, credential: { strategy: 'apikey', secret } };
    await scene.render(shown);
    await clock.advance(1000);
    assert.equal((await broker.welcome()).credential.secret, secret);
    await scene.render(shown);
  }
  assert.deepEqual(broker.sockets.map(({ closed }) => closed === null), [false, false, true]);
  await broker.subscribed();
  broker.message(11, 'x');
  assert.deepEqual(heard.map(([, payload]) => payload), ['x']);
});

/** Opens the session, lets React follow, and gives the secret that was shown. */
async function opens(scene, key = null) {
  /** @type {any} */
  let hello;
  await scene.act(async () => {
    hello = await scene.broker.welcome({ identity: key && { strategy: 'jwt', key } });
  });
  return hello.credential?.secret;
}

/** A provider whose options are new at each render, above a component that says who is there. */
function userTree({ h, hooks, url, options }) {
  const Private = ({ user }) => {
    hooks.useMessageBus(`private/${user}`, () => {});
    return hooks.useIdentity()?.key ?? 'nobody';
  };
  return (token, { key = 'same', user = token, given = /** @type {object} */ ({ getToken: () => token }) } = {}) => (
    h(hooks.MessageBusProvider, { key, url, options: { ...options, ...given } }, h(Private, { user }))
  );
}

promise('each session of a provider shows what its newest getToken gives', async (scene) => {
  const { broker, clock } = scene;
  const tree = userTree(scene);
  await scene.renderAlone(tree('ada', { user: 'x' }));
  assert.equal(await opens(scene), 'ada');
  await scene.renderAlone(tree('grace', { user: 'x' }));
  broker.goodbye(4300, { sentence: 'expired' });
  await clock.advance(5000);
  assert.equal(await opens(scene), 'grace');
  // All that was no other connection.
  assert.equal(broker.sockets.length, 2);
});

promise('a provider that comes in the place of another has a session of its own at once', async (scene) => {
  const { broker } = scene;
  const tree = userTree(scene);
  await scene.renderAlone(tree('ada', { key: 'ada' }));
  await opens(scene, 'ada');
  assert.equal(scene.text, 'ada');
  const before = broker.socket;
  await scene.renderAlone(tree('grace', { key: 'grace' }));
  assert.equal(scene.text, 'nobody');
  assert.deepEqual([before.closed?.code, before.heard.map(({ kind, channel }) => channel ?? kind)],
    [4000, ['private/ada', 'Goodbye']]);
  assert.deepEqual([await opens(scene, 'grace'), scene.text, broker.sockets.length], ['grace', 'grace', 2]);
  assert.equal((await broker.subscribed()).channel, 'private/grace');
});

promise('a provider that has a getToken no more, or has one now, has another session', async (scene) => {
  const { broker } = scene;
  const tree = userTree(scene);
  const shown = [];
  for (const given of [{}, { getToken: () => 'ada' }, {}]) {
    await scene.renderAlone(tree('x', { given }));
    shown.push(await opens(scene));
  }
  assert.deepEqual(shown, [undefined, 'ada', undefined]);
  assert.deepEqual(broker.sockets.map(({ closed }) => closed === null), [false, false, true]);
});

promise('on a connection that the page keeps, a provider for another user brings another session', async (scene) => {
  const tree = userTree(scene);
  await scene.renderAlone(tree('ada', { key: 'ada' }));
  await opens(scene, 'ada');
  const bus = connect(scene.url, scene.options);
  const release = bus.hold();
  await scene.renderAlone(tree('grace', { key: 'grace' }));
  await scene.clock.advance(1000);
  assert.equal(await opens(scene), 'grace');
  release();
  await bus.close();
});

promise('who only watches does not decide who the page is', async (scene) => {
  const { broker } = scene;
  const Status = () => scene.hooks.useConnectionState().name;
  await scene.render(scene.h(Status));
  const bus = connect(scene.url, { ...scene.options, getToken: () => 'ada' });
  await scene.act(() => bus.hold());
  assert.deepEqual([await opens(scene), scene.text, broker.sockets.length], ['ada', 'online', 1]);
  await scene.act(() => bus.close());
});
