// A page is whom its key names, and a key that nobody made is refused with a reason.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { openApp, sees } from '../support/tab.js';

promise('chromium', 'a page is whom its key names', async ({ app, broker, browser }) => {
  const tab = await openApp(browser, app);
  const said = await tab.evaluate(async (key) => {
    const bus = globalThis.join({ getToken: () => key });
    const { identity } = await bus.open();
    const publisher = new Promise((resolve) => {
      bus.subscribe('demo/who', (payload, channel, message) => resolve(message.publisher));
    });
    await bus.publishAcked('demo/who', 'I');
    return { identity, publisher: await publisher };
  }, await broker.key('Ada'));
  assert.deepEqual(said, { identity: { strategy: 'apikey', key: 'Ada' }, publisher: 'Ada' });
});

promise('chromium', 'a key that nobody made is refused, once and with a reason, and another one is not', async (scene) => {
  const { app, broker, browser } = scene;
  browser.expect(/^callboard: the connection is closed: .*4300/);
  const tab = await openApp(browser, app);
  const made = await broker.key('Ada');
  const forged = made.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  const refused = await tab.evaluate(async (credential) => {
    const bus = globalThis.join({ credential });
    bus.subscribe('demo/who', (payload) => globalThis.seen.push(payload));
    const error = await bus.open().catch((error) => error);
    return { told: error.class, state: bus.state.name, reason: bus.state.reason?.class };
  }, forged);
  assert.deepEqual(refused, { told: 'closed', state: 'closed', reason: 'bad-credential' });
  assert.equal(tab.opened.length, 1);
  // What has listened since before goes on under the other one.
  await tab.evaluate(async (credential) => {
    await globalThis.join({ credential }).publishAcked('demo/who', 'welcome');
  }, made);
  await sees(tab, 'welcome');
  assert.equal(tab.opened.length, 2);
});
