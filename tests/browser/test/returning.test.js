// A page that lost the broker, or was left and shown again, comes back by itself, and what it missed comes or is told.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { openHello, says, shows, writes } from '../support/tab.js';

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'a page outlives its broker and is told of the gap', async ({ broker, browser }) => {
    const tab = await openHello(browser, broker);
    await broker.publish('demo/hello', 'before');
    await shows(tab, 'before');
    // The browser says so each time that it finds nobody there.
    browser.expect(/^WebSocket connection to .* failed|can.t establish a connection to the server/);
    await broker.kill();
    await says(tab, 'waiting');
    await writes(tab, 'while it was away');
    await broker.start();
    assert.deepEqual(await shows(tab, 'while it was away'), ['before', '— new-epoch —', 'while it was away']);
    await broker.publish('demo/hello', 'after');
    assert.deepEqual((await shows(tab, 'after')).slice(-2), ['while it was away', 'after']);
    await says(tab, 'online');
  });
}

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'a page that was left and is shown again misses nothing', async ({ app, broker, browser }) => {
    const tab = await openHello(browser, broker);
    await broker.publish('demo/hello', 'before');
    await shows(tab, 'before');
    await tab.evaluate(() => {
      globalThis.isKept = true;
    });
    await tab.goto(app.origin);
    await broker.publish('demo/hello', 'meanwhile');
    await tab.goBack();
    assert.deepEqual(await shows(tab, 'meanwhile'), ['before', 'meanwhile']);
    await broker.publish('demo/hello', 'after');
    assert.deepEqual(await shows(tab, 'after'), ['before', 'meanwhile', 'after']);
    // Firefox keeps no page that has a WebSocket when it is left, not even one that is closed in `pagehide`: it has
    // decided before. There the page is loaded anew, and rewinds.
    const isKept = await tab.evaluate(() => globalThis.isKept === true);
    if (kind === 'chromium') assert.ok(isKept, 'the browser kept the page: nothing in it forbids that');
  });
}
