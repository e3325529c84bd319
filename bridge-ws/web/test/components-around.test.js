// What components know of the page around them: a channel of their own, the connection's state, whom they are taken for.

import assert from 'node:assert/strict';

import { connect } from '../index.js';
import { reported } from './support/broker.js';
import { promise } from './support/react.js';
import { settled } from './support/clock.js';

/** A component that shows what a hook gives, and keeps what it gave at each render. */
function shower(scene, hook) {
  const given = [];
  function Shower() {
    const value = scene.hooks[hook]();
    given.push(value);
    return scene.h('i', null, JSON.stringify(value));
  }
  return { Shower, given };
}

promise('a one-off channel stays the component\'s own over its renders', async (scene) => {
  const { h } = scene;
  const [one, other] = [shower(scene, 'useOneOffChannel'), shower(scene, 'useOneOffChannel')];
  const shown = new Set();
  for (let render = 0; render < 3; render += 1) {
    await scene.render(h(one.Shower), h(other.Shower));
    shown.add(scene.text);
  }
  assert.equal(shown.size, 1);
  const names = [one.given.at(-1), other.given.at(-1)];
  assert.equal(scene.text, names.map((name) => JSON.stringify(name)).join(''));
  for (const name of names) assert.match(name, /^once\/[0-9a-f]{32}$/);
  assert.notEqual(names[0], names[1]);
});

promise('a one-off channel that is subscribed hears its answer', async (scene) => {
  const { broker, h } = scene;
  const { useMessageBus, useOneOffChannel } = scene.hooks;
  const heard = [];
  let asked;
  await scene.render(h(function Job() {
    const channel = useOneOffChannel();
    useMessageBus(channel, (payload) => heard.push(payload));
    asked = channel;
    return null;
  }));
  await broker.welcome();
  assert.equal((await broker.subscribed()).channel, asked);
  broker.message(11, 'done');
  assert.deepEqual(heard, ['done']);
});

promise('the connection\'s state is shown, and showing it opens none', async (scene) => {
  const { broker, h } = scene;
  const { Shower, given } = shower(scene, 'useConnectionState');
  const Widget = ({ channel }) => {
    scene.hooks.useMessageBus(channel, () => {});
    return null;
  };
  await scene.render(h(Shower), h(Widget, { channel: null }));
  assert.deepEqual([given.at(-1).name, broker.sockets.length], ['idle', 0]);
  await scene.render(h(Shower), h(Widget, { channel: 'a' }));
  assert.equal(given.at(-1).name, 'connecting');
  await scene.act(() => broker.welcome());
  assert.equal(given.at(-1).name, 'online');
  await scene.act(() => broker.socket.drop());
  assert.deepEqual([given.at(-1).name, given.at(-1).reason.class], ['waiting', 'lost']);
});

promise('the state of a connection that another part of the page has opened is shown, too', async (scene) => {
  const { broker, h } = scene;
  const { Shower, given } = shower(scene, 'useConnectionState');
  await scene.render(h(Shower));
  const bus = connect(scene.url, scene.options);
  bus.subscribe('a', () => {});
  await scene.act(() => broker.welcome());
  assert.deepEqual([given.at(-1).name, broker.sockets.length], ['online', 1]);
  await bus.close();
});

promise('an address that is none is told, and the page stands', async (scene) => {
  const { h } = scene;
  const { Shower } = shower(scene, 'useConnectionState');
  scene.url = 'ftp://page.test/';
  const errors = await reported(() => scene.render(h(Shower)));
  assert.deepEqual([[...new Set(errors.map((error) => error.class))], JSON.parse(scene.text).name], [['bad-request'], 'idle']);
});

promise('the identity is learned over a session of its own, and kept for a private channel', async (scene) => {
  const { broker, clock, h } = scene;
  const { useIdentity, useMessageBus } = scene.hooks;
  const heard = [];
  const Private = () => {
    const identity = useIdentity();
    useMessageBus(identity && `visitor-management/arrival/${identity.key}`, (payload) => heard.push(payload));
    return identity === undefined ? 'unknown' : identity === null ? 'anonymous' : identity.key;
  };
  await scene.render(h(Private));
  assert.equal(scene.text, 'unknown');
  await scene.act(() => broker.welcome({ identity: { strategy: 'jwt', key: 'user-7' } }));
  assert.equal(scene.text, 'user-7');
  assert.equal((await broker.subscribed()).channel, 'visitor-management/arrival/user-7');
  broker.message(11, 'Ada');
  assert.deepEqual([heard, broker.sockets.length], [['Ada'], 1]);
  await clock.advance(60_000);
  assert.equal(broker.socket.closed, null);
});

promise('nobody is somebody too, and the same identity is the same object over a lost connection', async (scene) => {
  const { broker, clock, h } = scene;
  const { Shower, given } = shower(scene, 'useIdentity');
  await scene.render(h(Shower));
  await scene.act(() => broker.welcome());
  assert.equal(given.at(-1), null);
  for (const key of ['Ada', 'Ada', 'Eve']) {
    await scene.act(() => broker.socket.drop());
    await clock.advance(30_000);
    await scene.act(() => broker.welcome({ identity: { strategy: 'jwt', key } }));
  }
  assert.deepEqual([...new Set(given)].map((identity) => identity?.key ?? identity), [undefined, null, 'Ada', 'Eve']);
});

promise('who needs the identity no more lets the session go', async (scene) => {
  const { broker, clock, h } = scene;
  const { Shower } = shower(scene, 'useIdentity');
  await scene.render(h(Shower));
  await broker.welcome();
  await scene.render(h('i'));
  // The grace of a component that comes back, and that of a session that nobody needs.
  await clock.advance(500 + 30_000);
  assert.notEqual(broker.socket.closed, null);
  await settled();
  assert.equal(broker.sockets.length, 1);
});
