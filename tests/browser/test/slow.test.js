// A tab that stands still hurts no other one, and when it goes on it has everything or is told what it has not.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { listen, openApp, seen, sees } from '../support/tab.js';

/** Together far more than broker, system and browser keep for a tab; a portion is less than the broker alone keeps. */
const PORTIONS = 25;
const PORTION = 100;
const FILLING = 'x'.repeat(8_000);

promise('chromium', 'a tab that stands still hurts no other one', async ({ app, broker, browser }) => {
  const still = await openApp(browser, app);
  const quick = await openApp(browser, app);
  await Promise.all([listen(still, 'demo/flood'), listen(quick, 'demo/flood')]);
  await stop(still);
  const published = [];
  for (let portion = 0; portion < PORTIONS; portion += 1) {
    const messages = Array.from({ length: PORTION }, (_, place) => `${published.length + place + 1} ${FILLING}`);
    await broker.publishAll('demo/flood', messages);
    await sees(quick, messages.at(-1));
    published.push(...messages);
  }
  assert.deepEqual(await seen(quick), published);
  await still.protocol.send('Debugger.resume');
  await still.waitForFunction(
    (last) => globalThis.seen.at(-1)?.startsWith(`${last} `) || globalThis.gaps.at(-1)?.to.offset === last,
    { polling: 50 },
    published.length,
  );
  const had = new Set(await seen(still));
  const missing = published.flatMap((message, before) => (had.has(message) ? [] : [before + 1]));
  const gaps = await still.evaluate(() => globalThis.gaps);
  assert.deepEqual(gaps.flatMap(({ from, to }) => offsets(from, to)), missing);
});

/** Holds a page where it stands: nothing in it runs until the debugger lets it go on. */
async function stop(tab) {
  const stopped = new Promise((resolve) => {
    tab.protocol.once('Debugger.paused', resolve);
  });
  await tab.protocol.send('Debugger.enable');
  await tab.protocol.send('Debugger.pause');
  // It stops at the next thing that it is to do.
  tab.evaluate(() => globalThis.seen.length).catch(() => {});
  await stopped;
}

function offsets(from, to) {
  assert.equal(from.epoch, to.epoch);
  return Array.from({ length: to.offset - from.offset }, (_, place) => from.offset + place + 1);
}
