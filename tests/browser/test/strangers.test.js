// A page that the broker's operator did not list uses nothing of the broker, although the browser can reach it.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { openHello, shows } from '../support/tab.js';

promise('chromium', 'an origin that nobody listed uses nothing', async ({ app, broker, browser }) => {
  const tab = await browser.tab();
  // It is listed under another name: `localhost`.
  await tab.goto(app.origin.replace('localhost', '127.0.0.1'));
  // The browser says what it was refused.
  browser.expect(/CORS policy|^Failed to load resource|^WebSocket connection to .* failed/);
  const refused = await tab.evaluate(async (broker) => {
    const socket = new WebSocket(`${broker.replace('http', 'ws')}/v1/bus`, ['callboard.v1']);
    const closed = new Promise((resolve) => {
      socket.onclose = ({ code }) => resolve(code);
      socket.onopen = () => resolve('open');
    });
    const publish = { method: 'POST', mode: 'no-cors', body: '{"channel":"demo/hello","payload":"forged"}' };
    return {
      module: await import(`${broker}/callboard/index.js`).then(() => 'loaded', ({ name }) => name),
      session: await closed,
      publish: await fetch(`${broker}/v1/publish`, publish).then(({ type }) => type, ({ name }) => name),
    };
  }, broker.origin);
  assert.deepEqual(refused, { module: 'TypeError', session: 1006, publish: 'TypeError' });
  await broker.publish('demo/hello', 'the only one');
  assert.deepEqual(await shows(await openHello(browser, broker), 'the only one'), ['the only one']);
});
