// A page of ten lines shows what `callboard pub` sends, and `callboard sub` shows what the page sends.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { promise } from '../support/scene.js';
import { openHome, shows, writes } from '../support/tab.js';

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'a page shows what `pub` sends, and `sub` what the page sends', async ({ broker, browser }) => {
    const tab = await openHome(browser, broker);
    await broker.publish('demo/hello', 'from the command line');
    assert.deepEqual(await shows(tab, 'from the command line'), ['from the command line']);
    await writes(tab, 'from the page');
    const both = ['from the command line', 'from the page'];
    assert.deepEqual(await broker.subscribe('demo/hello', 2), both);
    assert.deepEqual(await shows(tab, 'from the page'), both);
    await look(tab, kind);
  });

  promise(kind, 'what somebody publishes is text, and never a part of the page', async ({ broker, browser }) => {
    const tab = await openHome(browser, broker);
    const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await broker.publish('demo/hello', attack);
    assert.deepEqual(await shows(tab, attack), [attack]);
    assert.equal(await tab.title(), 'Callboard');
  });
}

promise('chromium', 'who comes late is shown the last messages', async ({ broker, browser }) => {
  await broker.publishAll('demo/hello', ['one', 'two']);
  const tab = await openHome(browser, broker);
  assert.deepEqual(await shows(tab, 'two'), ['one', 'two']);
});

promise('chromium', 'a page is light or dark as its reader likes it', async ({ broker, browser }) => {
  const tab = await openHome(browser, broker);
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

/** Keeps a picture of the page, light and dark, for people, where `SCREENSHOTS` names a folder. */
async function look(tab, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await tab.setViewport({ width: 640, height: 320 });
  for (const scheme of ['light', 'dark']) {
    if (name === 'chromium') await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await tab.screenshot({ path: `${folder}/${name}-${scheme}.png` });
  }
}
