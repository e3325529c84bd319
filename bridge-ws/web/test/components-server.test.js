// On a server components render and nothing else happens; a browser takes over what they rendered without a word.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { settled } from './support/clock.js';
import { promise } from './support/react.js';

/** A page with every hook in it. */
function everything({ h, hooks }) {
  function Everything() {
    const channel = hooks.useOneOffChannel();
    const { name } = hooks.useConnectionState();
    const identity = hooks.useIdentity();
    hooks.useMessageBus('visitor-arrival', () => {});
    hooks.useMessageBus({ userKey: 'u1' }, channel, () => {});
    hooks.useEffectWithPolling('visitor-arrival', 1000, async () => {}, []);
    return h('p', null, `${name} ${String(identity)} ${channel}`);
  }
  return h(Everything);
}

promise('a server renders what nobody else is given, opens nothing and complains of nothing', async (scene) => {
  const { broker, clock, h, hooks, server } = scene;
  const errors = [];
  const { error } = console;
  console.error = (...said) => errors.push(said);
  const pages = [scene.provided(everything(scene)), everything(scene), h(hooks.MessageBusProvider, {}, everything(scene))];
  try {
    for (const page of pages) assert.equal(server.renderToString(page), '<p>idle undefined null</p>');
  } finally {
    console.error = error;
  }
  await settled();
  assert.deepEqual([errors, broker.sockets.length, clock.running], [[], 0, 0]);
});

promise('a browser takes over what a server rendered, and gives the page its channel then', async (scene) => {
  const { broker, server } = scene;
  const page = scene.provided(everything(scene));
  const errors = [];
  const { error } = console;
  console.error = (...said) => errors.push(said);
  try {
    scene.element.innerHTML = server.renderToString(page);
    await scene.hydrate(page);
  } finally {
    console.error = error;
  }
  assert.match(scene.text, /^connecting undefined once\/[0-9a-f]{32}$/);
  assert.deepEqual([errors, broker.sockets.length], [[], 1]);
});

test('a server needs no page to load the hooks and to render them', () => {
  const code = `
    import { createElement } from 'react';
    import { renderToString } from 'react-dom/server';
    import { useConnectionState, useMessageBus } from 'callboard/react';
    const Page = () => {
      useMessageBus('visitor-arrival', () => {});
      return useConnectionState().name;
    };
    process.stdout.write(renderToString(createElement(Page)));`;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', code], { cwd, encoding: 'utf8' });
  assert.equal(said, 'idle');
});
