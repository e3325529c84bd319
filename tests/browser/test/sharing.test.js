// A page has one WebSocket however many listeners it has, and none before the first one.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { listen, openApp, seen, sees } from '../support/tab.js';

promise('chromium', 'one socket for all listeners, and none before the first', async ({ app, broker, browser }) => {
  const tab = await openApp(browser, app);
  await tab.evaluate(() => {
    for (let component = 0; component < 20; component += 1) globalThis.join();
  });
  // A round trip of the page, so that a socket would have been told of.
  await tab.evaluate((broker) => import(`${broker}/callboard/index.js?again`), broker.origin);
  assert.deepEqual(tab.opened, []);
  const channels = [...Array(20).keys()].map((number) => `demo/${number}`);
  await Promise.all(channels.flatMap((channel) => [listen(tab, channel), listen(tab, channel)]));
  await broker.publish('demo/7', 'seven');
  await sees(tab, 'seven', 2);
  await broker.publish('demo/0', 'nought');
  await sees(tab, 'nought', 2);
  assert.deepEqual(await seen(tab), ['seven', 'seven', 'nought', 'nought']);
  assert.equal(tab.opened.length, 1);
});

promise('chromium', 'what one tab publishes another one shows', async ({ app, broker, browser }) => {
  const one = await openApp(browser, app);
  const other = await openApp(browser, app);
  await Promise.all([listen(one, 'demo/tabs'), listen(other, 'demo/tabs')]);
  await one.evaluate(() => globalThis.join().publishAcked('demo/tabs', 'from one tab'));
  await Promise.all([sees(one, 'from one tab'), sees(other, 'from one tab')]);
  await one.close();
  await broker.publish('demo/tabs', 'after it was closed');
  await sees(other, 'after it was closed');
  assert.deepEqual(await seen(other), ['from one tab', 'after it was closed']);
});
