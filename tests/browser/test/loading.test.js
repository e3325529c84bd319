// A page has the whole package after one round trip more, in few bytes, and the next visit fetches none of it again.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { openHello, says } from '../support/tab.js';

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'the package comes at once, in few bytes, and is kept', async ({ broker, browser }) => {
    const tab = await openHello(browser, broker);
    const [door, ...modules] = await resources(tab);
    assert.equal(door.path, '/callboard/index.js');
    assert.ok(modules.length > 20, `${modules.length} modules`);
    const [, release] = modules[0].path.match(/^\/callboard\/([\w-]{22})\/\w+\.js$/);
    for (const { path, sent, size, by } of modules) {
      assert.ok(path.startsWith(`/callboard/${release}/`), path);
      assert.ok(sent < size, `${path} is compressed`);
      // An import would have waited for the module that it stands in.
      assert.notEqual(by, 'script', `${path} was asked for by a link of the page`);
    }
    assert.equal(new Set(modules.map(({ path }) => path)).size, modules.length, 'each was fetched once');

    // A second visit, as by a link: `reload` would ask again for everything.
    await tab.goto(`${broker.origin}/hello`);
    await says(tab, 'online');
    const again = await resources(tab);
    assert.deepEqual(again.map(({ path }) => path), [door, ...modules].map(({ path }) => path));
    assert.deepEqual(again.filter(({ fetched }) => fetched > 0).map(({ path }) => path), [door.path]);
  });
}

/** What a page loaded: each path, the bytes of its content on the way and here, those fetched now, and who asked. */
async function resources(tab) {
  const found = await tab.evaluate(() => performance.getEntriesByType('resource').map((entry) => ({
    path: new URL(entry.name).pathname,
    sent: entry.encodedBodySize,
    size: entry.decodedBodySize,
    fetched: entry.transferSize,
    by: entry.initiatorType,
  })));
  return found.filter(({ path }) => path.startsWith('/callboard/')).sort(byPath);
}

function byPath(one, other) {
  return one.path.length - other.path.length || (one.path < other.path ? -1 : 1);
}
