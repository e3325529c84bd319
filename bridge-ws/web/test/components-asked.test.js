// Components whose connection the broker has closed for good wait, and go on when the page asks for another session.

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
