// A page of ten lines shows what `callboard pub` sends, and `callboard sub` shows what the page sends.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { look } from '../support/look.js';
import { promise } from '../support/scene.js';
import { openHello, shows, writes } from '../support/tab.js';

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'a page shows what `pub` sends, and `sub` what the page sends', async ({ broker, browser }) => {
    const tab = await openHello(browser, broker);
    await broker.publish('demo/hello', 'from the command line');
    assert.deepEqual(await shows(tab, 'from the command line'), ['from the command line']);
    await writes(tab, 'from the page');
    const both = ['from the command line', 'from the page'];
    assert.deepEqual(await broker.subscribe('demo/hello', 2), both);
    assert.deepEqual(await shows(tab, 'from the page'), both);
    await look(tab, kind, 'hello');
  });

  promise(kind, 'what somebody publishes is text, and never a part of the page', async ({ broker, browser }) => {
    const tab = await openHello(browser, broker);
    const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await broker.publish('demo/hello', attack);
    assert.deepEqual(await shows(tab, attack), [attack]);
    assert.equal(await tab.title(), 'Callboard');
  });
}

promise('chromium', 'who comes late is shown the last messages', async ({ broker, browser }) => {
  await broker.publishAll('demo/hello', ['one', 'two']);
  const tab = await openHello(browser, broker);
  assert.deepEqual(await shows(tab, 'two'), ['one', 'two']);
});

promise('chromium', 'a page is light or dark as its reader likes it', async ({ broker, browser }) => {
  const tab = await openHello(browser, broker);
  const ink = () => tab.evaluate(() => getComputedStyle(document.body).color);
  for (const [value, color] of [['light', 'rgb(0, 0, 0)'], ['dark', 'rgb(255, 255, 255)']]) {
    await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
    assert.equal(await ink(), color);
  }
});

test('the page has ten lines', async () => {
  const page = await readFile(new URL('../../../bridge-ws/web/hello.html', import.meta.url), 'utf8');
  assert.ok(page.trimEnd().split('\n').length <= 10);
});
