// A component hears its channel through its newest callback while it is mounted, and shares everything with the others.

import assert from 'node:assert/strict';
import { after } from 'node:test';

import { connect } from '../index.js';
import { Broker, comeBack, reported } from './support/broker.js';
import { VERSIONS, promise } from './support/react.js';

/** A component that keeps what it hears in `heard`, as `[tag, payload, channel]`. */
function widget({ hooks }, heard) {
  return function Widget({ channel, tag = '', options }) {
    hooks.useMessageBus(channel, (payload, name) => heard.push([tag, payload, name]), options);
    return null;
  };
}

promise('the hook of the seed hears the payload and the channel', async (scene) => {
  const { broker, h } = scene;
  const { useMessageBus } = scene.hooks;
  const heard = [];
  await scene.render(h(function Arrivals() {
    useMessageBus('visitor-arrival', (payload, channel) => {
      heard.push([payload, channel]);
      return 'ignored';
    });
    return null;
  }));
  await broker.welcome();
  assert.equal((await broker.subscribed()).channel, 'visitor-arrival');
  broker.message(11, 'Ada');
  assert.deepEqual(heard, [['Ada', 'visitor-arrival']]);
});

promise('with a context before it the hook does the same, and a client there is used', async (scene) => {
  const { broker, h } = scene;
  const { useMessageBus } = scene.hooks;
  const heard = [];
  const client = connect('wss://another.test/', { ...scene.options, shared: false });
  const Widget = ({ context }) => {
    useMessageBus(context, 'a', (payload) => heard.push(payload));
    return null;
  };
  for (const context of [{ userKey: 'u1', subscribe() {} }, null, 'context']) {
    await scene.render(h(Widget, { context }));
  }
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, 'x');
  assert.deepEqual([heard, broker.sockets.length], [['x'], 1]);
  await scene.render(h(Widget, { context: client }));
  await broker.welcome();
  assert.equal(broker.socket.url, 'wss://another.test/');
  await broker.subscribed();
  broker.message(11, 'y');
  assert.deepEqual(heard, ['x', 'y']);
});

promise('nothing is opened before a component wants a channel', async (scene) => {
  const Widget = widget(scene, []);
  await scene.render(...[null, undefined, ''].map((channel, key) => scene.h(Widget, { channel, key })));
  assert.equal(scene.broker.sockets.length, 0);
  await scene.render(scene.h(Widget, { channel: 'a' }));
  assert.equal(scene.broker.sockets.length, 1);
});

promise('many components and channels share a socket, and a channel a subscription', async (scene) => {
  const { broker, h } = scene;
  const heard = [];
  const Widget = widget(scene, heard);
  const pairs = ['a', 'b', 'a', 'b'].map((channel, key) => h(Widget, { channel, tag: key, key }));
  await scene.render(...pairs);
  await broker.welcome();
  await broker.subscribed({ number: 1 });
  await broker.subscribed({ number: 2 });
  broker.hearsNothing();
  broker.message(11, 'x', 1);
  broker.message(11, 'y', 2);
  assert.deepEqual(heard, [[0, 'x', 'a'], [2, 'x', 'a'], [1, 'y', 'b'], [3, 'y', 'b']]);
  assert.equal(broker.sockets.length, 1);
});

promise('the newest callback is called, and nothing is asked anew for it', async (scene) => {
  const { broker, h } = scene;
  const heard = [];
  const Widget = widget(scene, heard);
  await scene.render(h(Widget, { channel: 'a', tag: 'old' }));
  await broker.welcome();
  await broker.subscribed();
  await scene.render(h(Widget, { channel: 'a', tag: 'new' }));
  broker.message(11, 'x');
  await scene.clock.advance(1000);
  broker.hearsNothing();
  assert.deepEqual(heard, [['new', 'x', 'a']]);
});

promise('a callback that renders the component hears each message once', async (scene) => {
  const { broker, h, react } = scene;
  const { useMessageBus } = scene.hooks;
  await scene.render(h(function Counter() {
    const [texts, setTexts] = react.useState([]);
    useMessageBus('a', (payload) => setTexts([...texts, payload]));
    return texts.join(' ');
  }));
  await broker.welcome();
  await broker.subscribed();
  for (const [before, text] of ['one', 'two', 'three'].entries()) {
    await scene.act(() => broker.message(11 + before, text));
  }
  assert.equal(scene.text, 'one two three');
});

promise('another channel is subscribed in place of the old one', async (scene) => {
  const { broker, clock, h } = scene;
  const heard = [];
  const Widget = widget(scene, heard);
  await scene.render(h(Widget, { channel: 'a' }));
  await broker.welcome();
  await broker.subscribed({ number: 1 });
  await scene.render(h(Widget, { channel: 'b' }));
  await broker.subscribed({ number: 2 });
  broker.message(11, 'x', 1);
  broker.message(11, 'y', 2);
  assert.deepEqual(heard, [['', 'y', 'b']]);
  await clock.advance(500);
  assert.equal(broker.hear('Unsubscribe').channel, 'a');
  await scene.render(h(Widget, { channel: null }));
  await clock.advance(500);
  assert.equal(broker.hear('Unsubscribe').channel, 'b');
});

promise('mounting asks once, though StrictMode mounts twice, and unmounting ends it', async (scene) => {
  const { broker, clock, h } = scene;
  const heard = [];
  await scene.render(h(widget(scene, heard), { channel: 'a' }), h('i'));
  await broker.welcome();
  await broker.subscribed();
  await clock.advance(1000);
  broker.hearsNothing();
  await scene.render(h('i'));
  broker.message(11, 'x');
  await clock.advance(500);
  assert.equal(broker.hear('Unsubscribe').channel, 'a');
  broker.hearsNothing();
  assert.deepEqual(heard, []);
});

promise('a component that is mounted again at once goes on without a word to the broker', async (scene) => {
  const { broker, clock, h } = scene;
  const heard = [];
  const Widget = widget(scene, heard);
  await scene.render(h(Widget, { channel: 'a', key: 1 }));
  await broker.welcome();
  await broker.subscribed();
  await scene.render(h(Widget, { channel: 'a', key: 2 }));
  await clock.advance(1000);
  broker.hearsNothing();
  broker.message(11, 'x');
  assert.equal(heard.length, 1);
});

promise('a callback that throws hurts no other one', async (scene) => {
  const { broker, h } = scene;
  const { useMessageBus } = scene.hooks;
  const heard = [];
  const Broken = () => {
    useMessageBus('a', () => {
      throw new Error('broken');
    });
    return null;
  };
  await scene.render(h(Broken), h(widget(scene, heard), { channel: 'a' }));
  await broker.welcome();
  await broker.subscribed();
  const errors = await reported(() => broker.message(11, 'x'));
  assert.deepEqual([errors.map(({ message }) => message), heard], [['broken'], [['', 'x', 'a']]]);
});

promise('whatever was published, the payload is a string', async (scene) => {
  const { broker, h } = scene;
  const { useMessageBus } = scene.hooks;
  const heard = [];
  const Widget = () => {
    useMessageBus('a', (payload, _, message) => heard.push([payload, message.kind, message.payload]));
    return null;
  };
  await scene.render(h(Widget));
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, { kind: 'json', json: '{ "done": 7 }' });
  broker.message(12, { kind: 'json', json: '"quoted"' });
  broker.message(13, { kind: 'json', json: 'no json' });
  const bytes = new TextEncoder().encode('Zoë');
  broker.message(14, { kind: 'binary', bytes });
  assert.deepEqual(heard, [
    ['{"done":7}', 'json', { done: 7 }], ['"quoted"', 'json', 'quoted'], ['no json', 'json', 'no json'],
    ['Zoë', 'binary', bytes],
  ]);
});

promise('options go to the subscription, and the newest of them hear gaps and whether messages come', async (scene) => {
  const { broker, clock, h } = scene;
  const Widget = widget(scene, []);
  const told = [];
  const options = (tag) => ({
    rewind: 5,
    onGap: ({ why }) => told.push(`${tag} ${why}`),
    onLive: (isLive) => told.push(`${tag} ${isLive}`),
  });
  await scene.render(h(Widget, { channel: 'a', options: options('old') }));
  await broker.welcome();
  const { start } = await broker.subscribed();
  assert.deepEqual(start, { kind: 'Rewind', messages: 5 });
  await scene.render(h(Widget, { channel: 'a', options: options('new') }));
  broker.socket.drop();
  const client = connect(scene.url, scene.options);
  await comeBack({ client, broker, clock });
  await broker.subscribed({ epoch: 78, offset: 1, recovered: false });
  await client.close();
  assert.deepEqual(told, ['old true', 'new false', 'new new-epoch', 'new true']);
});

promise('a channel that cannot be subscribed is told, and the page stands', async (scene) => {
  const { broker, h } = scene;
  const Widget = widget(scene, []);
  // StrictMode mounts twice, and so it is told twice.
  const ends = new Set();
  const options = { onEnd: (error) => ends.add(error.class) };
  const errors = await reported(async () => {
    await scene.render(h(Widget, { channel: '/a' }), h(Widget, { channel: '/b', options }), h('b', null, 'stands'));
  });
  assert.deepEqual([...new Set(errors.map((error) => error.class))], ['bad-channel-name']);
  const Silent = () => scene.hooks.useMessageBus('a');
  const [{ sentence }] = await reported(() => scene.render(h(Silent), h('b', null, 'stands')));
  assert.equal(sentence, 'a callback is a function');
  const Mistaken = () => scene.hooks.useMessageBus(undefined, 'a', undefined);
  const [mistake] = await reported(() => scene.render(h(Mistaken), h('b', null, 'stands')));
  assert.equal(mistake.sentence, 'a callback is a function');
  assert.deepEqual([...ends], ['bad-channel-name']);
  assert.equal(scene.text, 'stands');
  await scene.render(h(Widget, { channel: 'c', options }));
  await broker.welcome();
  broker.failed(broker.hear('Subscribe').request, 403, 'forbidden');
  assert.deepEqual([...ends], ['bad-channel-name', 'forbidden']);
});

/** The broker on the page's own origin, for as long as the page lives: nobody closes that connection. */
const own = new Broker();
after(() => {
  connect().onError(() => {});
  own.goodbye(4001);
});

promise('without a provider the broker on the page\'s own origin is used, over one socket', async (scene) => {
  const heard = [];
  const Widget = widget(scene, heard);
  const { WebSocket } = globalThis;
  globalThis.WebSocket = /** @type {any} */ (own.WebSocket);
  try {
    const channel = new URL(String(scene.url)).host;
    await scene.renderAlone(scene.h(Widget, { channel }));
    assert.deepEqual(own.sockets.map(({ url }) => url), ['wss://page.test/v1/bus']);
    if (connect().state.name !== 'online') await own.welcome();
    // Who unmounted before is gone a little later, by a clock that is no test's.
    own.socket.heard = own.socket.heard.filter(({ kind }) => kind === 'Subscribe');
    const number = own.socket.heard[0].request;
    await own.subscribed({ number });
    own.message(11, 'x', number);
    assert.deepEqual(heard, [['', 'x', channel]]);
    await scene.unmount();
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

promise('a provider closes the connection that it made, and no other one', async (scene) => {
  const { broker, clock, h } = scene;
  const Widget = widget(scene, []);
  await scene.render(h(Widget, { channel: 'a' }));
  await broker.welcome();
  await clock.advance(1000);
  assert.equal(broker.socket.closed, null);
  const client = connect('wss://given.test/', { ...scene.options, shared: false });
  await scene.renderAlone(h(scene.hooks.MessageBusProvider, { client }, h(Widget, { channel: 'a' })));
  await clock.advance(500);
  assert.notEqual(broker.sockets[0].closed, null);
  await broker.welcome();
  assert.equal(broker.socket.url, 'wss://given.test/');
  await scene.unmount();
  await clock.advance(1000);
  assert.equal(client.state.name, 'online');
});

promise('a client that was closed harms no render, and those who need it are told so', async (scene) => {
  const { h, hooks, options } = scene;
  const client = connect('wss://closed.test/', { ...options, shared: false });
  await client.close();
  const ends = [];
  const Widget = widget(scene, []);
  const Given = () => {
    hooks.useMessageBus(client, 'a', () => {}, { onEnd: (error) => ends.push(error.class) });
    return null;
  };
  for (let mount = 1; mount <= 2; mount += 1) {
    await scene.renderAlone([
      h(Given, { key: `given ${mount}` }),
      h(hooks.MessageBusProvider, { key: `provided ${mount}`, client },
        h(Widget, { channel: 'a', options: { onEnd: (error) => ends.push(error.class) } }), 'shown'),
    ]);
    assert.equal(scene.text, 'shown');
  }
  // In StrictMode each effect runs twice.
  assert.deepEqual(ends, Array.from({ length: scene.isStrict ? 8 : 4 }, () => 'closed'));
});

promise('a provider with another address moves its components there', async (scene) => {
  const { broker, h } = scene;
  const heard = [];
  const Widget = widget(scene, heard);
  await scene.render(h(Widget, { channel: 'a' }));
  await broker.welcome();
  await broker.subscribed();
  scene.url = new URL(String(scene.url).replace('components', 'moved'));
  await scene.render(h(Widget, { channel: 'a' }));
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, 'x');
  assert.equal(broker.socket.url, String(scene.url));
  assert.deepEqual([broker.sockets.length, heard], [2, [['', 'x', 'a']]]);
});

promise('where there is no WebSocket the hooks say so, and the page stands', async (scene) => {
  const { clock, h } = scene;
  const ends = new Set();
  const Widget = widget(scene, []);
  scene.options.WebSocket = undefined;
  const options = { onEnd: (error) => ends.add(error.class) };
  await scene.render(h(Widget, { channel: 'a', options }), h('b', null, 'stands'));
  await clock.advance(1000);
  assert.deepEqual([...ends, scene.text], ['no-websocket', 'stands']);
});

// Neither version is tested by mistake.
assert.deepEqual(VERSIONS.map(({ name }) => name), ['React 18', 'React 19']);
