// A component that polls is fresh at once when its deps or the channel change, and two runs of it never overlap.

import assert from 'node:assert/strict';

import { comeBack, reported } from './support/broker.js';
import { settled } from './support/clock.js';
import { connect } from '../index.js';
import { promise } from './support/react.js';

const INTERVAL = 1000;

/** A component that polls, and the `runs` it made: `{ tag, signal, end }`. `isQuick` runs end by themselves. */
function poller(scene, { isQuick = true } = {}) {
  const runs = [];
  let running = 0;
  const options = { clock: scene.clock, page: scene.page };
  function Poller({ context, channel = 'a', intervalMs = INTERVAL, tag, deps }) {
    const callback = async ({ signal }) => {
      assert.equal(running, 0, 'two runs never overlap');
      running += 1;
      await new Promise((resolve) => {
        runs.push({ tag, signal, end: resolve });
        if (isQuick) resolve();
      });
      running -= 1;
    };
    const given = [channel, intervalMs, callback, deps, options];
    if (context === undefined) scene.hooks.useEffectWithPolling(...given);
    else scene.hooks.useEffectWithPolling(context, ...given);
    return null;
  }
  return { Poller, runs };
}

promise('it runs once when it is mounted, and at its interval while there is no bus', async (scene) => {
  const { clock, h } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller));
  assert.equal(runs.length, 1);
  await clock.advance(3 * INTERVAL);
  assert.equal(runs.length, 4);
});

promise('on the bus it is seldom, and at once when a message comes', async (scene) => {
  const { broker, clock, h } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller));
  await broker.welcome();
  await broker.subscribed();
  await clock.advance(INTERVAL);
  assert.equal(runs.length, 2);
  await clock.advance(9 * INTERVAL);
  assert.equal(runs.length, 2);
  broker.message(11, 'changed');
  await settled();
  assert.equal(runs.length, 3);
});

promise('with a context before it, it does the same', async (scene) => {
  const { broker, h } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller, { context: { userKey: 'u1' } }));
  await broker.welcome();
  assert.equal((await broker.subscribed()).channel, 'a');
  broker.message(11, 'changed');
  await settled();
  assert.equal(runs.length, 2);
});

promise('it runs when its deps change and not when it is only rendered, with the newest callback', async (scene) => {
  const { broker, clock, h } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller, { tag: 1, deps: ['x'] }));
  await broker.welcome();
  await broker.subscribed();
  await scene.render(h(Poller, { tag: 2, deps: ['x'] }));
  assert.deepEqual(runs.map(({ tag }) => tag), [1]);
  await scene.render(h(Poller, { tag: 3, deps: ['y'] }));
  assert.deepEqual(runs.map(({ tag }) => tag), [1, 3]);
  await scene.render(h(Poller, { tag: 4, deps: ['y'] }));
  broker.message(11, 'changed');
  await clock.advance(1000);
  assert.deepEqual(runs.map(({ tag }) => tag), [1, 3, 4]);
  // All that on one subscription.
  broker.hearsNothing();
});

promise('a message or a change during a run causes one more behind it', async (scene) => {
  const { broker, h } = scene;
  const { Poller, runs } = poller(scene, { isQuick: false });
  await scene.render(h(Poller, { deps: ['x'] }));
  await broker.welcome();
  await broker.subscribed();
  broker.message(11, 'changed');
  broker.message(12, 'changed');
  assert.deepEqual([runs.length, runs[0].signal.aborted], [1, false]);
  await scene.render(h(Poller, { deps: ['y'] }));
  assert.deepEqual([runs.length, runs[0].signal.aborted], [1, true]);
  runs[0].end();
  await settled();
  assert.deepEqual([runs.length, runs[1].signal.aborted], [2, false]);
  runs[1].end();
  await settled();
  assert.equal(runs.length, 2);
});

promise('a gap makes it run at once, and a lost connection at its interval', async (scene) => {
  const { broker, clock, h } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller));
  await broker.welcome();
  await broker.subscribed();
  await clock.advance(INTERVAL);
  runs.length = 0;
  broker.socket.drop();
  await clock.advance(2 * INTERVAL);
  assert.equal(runs.length, 2);
  const client = connect(scene.url, scene.options);
  if (client.state.name === 'waiting') await comeBack({ client, broker, clock });
  else await broker.welcome();
  await broker.subscribed({ offset: 20, recovered: false });
  assert.equal(runs.length, 3);
  await client.close();
});

promise('a hidden page polls nothing, and is fresh when it is shown', async (scene) => {
  const { clock, h, page } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller));
  page.document.visibilityState = 'hidden';
  page.document.dispatchEvent(new Event('visibilitychange'));
  await clock.advance(10 * INTERVAL);
  assert.equal(runs.length, 1);
  page.document.visibilityState = 'visible';
  page.document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(runs.length, 2);
});

promise('a component that is gone runs no more, and its run is told', async (scene) => {
  const { clock, h } = scene;
  const { Poller, runs } = poller(scene, { isQuick: false });
  await scene.render(h(Poller));
  await scene.unmount();
  assert.equal(runs[0].signal.aborted, true);
  runs[0].end();
  await clock.advance(20 * INTERVAL);
  assert.equal(runs.length, 1);
});

promise('a channel that cannot be subscribed is told and polled all the same', async (scene) => {
  const { clock, h } = scene;
  const { Poller, runs } = poller(scene);
  const errors = await reported(() => scene.render(h(Poller, { channel: '/a' })));
  assert.equal(errors[0].class, 'bad-channel-name');
  await clock.advance(INTERVAL);
  assert.equal(runs.length, 2);
});

promise('without a channel it polls, and opens nothing', async (scene) => {
  const { broker, clock, h } = scene;
  const { Poller, runs } = poller(scene);
  await scene.render(h(Poller, { channel: null }));
  await clock.advance(INTERVAL);
  assert.deepEqual([runs.length, broker.sockets.length], [2, 0]);
});

promise('an interval that is none is told, and hurts no other component', async (scene) => {
  const { h } = scene;
  const { Poller, runs } = poller(scene);
  const errors = await reported(() => scene.render(h(Poller, { intervalMs: 0 }), h('b', null, 'stands')));
  assert.equal(errors[0].class, 'bad-request');
  assert.deepEqual([runs.length, scene.text], [0, 'stands']);
});

promise('what cannot be polled is told to the newest onEnd, or reported, and the page stands', async (scene) => {
  const { clock, h, hooks, page } = scene;
  const ends = [];
  const Mistaken = ({ given, options, tag }) => {
    const onEnd = (error) => ends.push([tag, error.class]);
    hooks.useEffectWithPolling('a', ...given, { clock, page, ...(tag && { onEnd }), ...options });
    return null;
  };
  const run = async () => {};
  const mistakes = [
    { given: [1000, run, []], options: { timeoutMs: 0 } },
    { given: [1000, run, []], options: { slowMs: '1' } },
    { given: ['1000', run, []] },
    { given: [undefined, run, []] },
  ];
  for (const [key, mistake] of mistakes.entries()) {
    const errors = await reported(() => scene.render(h(Mistaken, { key, ...mistake }), h('b', null, 'stands')));
    assert.deepEqual([[...new Set(errors.map((error) => error.class))], scene.text], [['bad-request'], 'stands']);
    // In StrictMode each effect runs twice.
    ends.length = 0;
    await scene.render(h(Mistaken, { key: `told ${key}`, tag: 'told', ...mistake }), h('b', null, 'stands'));
    assert.deepEqual(ends, Array.from({ length: scene.isStrict ? 2 : 1 }, () => ['told', 'bad-request']));
  }
});

promise('without deps, or with nothing in their place, it polls', async (scene) => {
  const { h, hooks } = scene;
  let runs = 0;
  const Poller = ({ deps, options }) => {
    hooks.useEffectWithPolling(null, 1000, async () => { runs += 1; }, deps, options);
    return null;
  };
  await scene.render(h(Poller, { key: 1 }), h(Poller, { key: 2, deps: null, options: null }));
  assert.equal(runs, 2);
});

promise('what hears of a poll is the newest of the component, too', async (scene) => {
  const { broker, clock, h, hooks, page } = scene;
  const [ends, states] = [[], []];
  const Poller = ({ tag }) => {
    const onEnd = (error) => ends.push([tag, error.class]);
    hooks.useEffectWithPolling('a', 1000, async () => {}, [], {
      clock, page, onEnd, onState: ({ name }) => states.push(`${tag} ${name}`),
    });
    return null;
  };
  await scene.render(h(Poller, { tag: 'old' }));
  await broker.welcome();
  states.length = 0;
  await scene.render(h(Poller, { tag: 'new' }));
  broker.failed(broker.hear('Subscribe').request, 403, 'forbidden');
  await clock.advance(1000);
  assert.deepEqual(ends, [['new', 'forbidden']]);
  assert.deepEqual(states, ['new running', 'new waiting']);
});
