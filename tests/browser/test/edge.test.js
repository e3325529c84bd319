// A page at the edge has what the broker has, and keeps its one socket while that broker is away.

import assert from 'node:assert/strict';

import { Edge } from '../support/edge.js';
import { promise } from '../support/scene.js';
import { openBoard, openHello, reads, says, shows, socketsOf, writes } from '../support/tab.js';

/** An edge hears nothing of a broker that is killed, and gives it up after this silence. Nothing here is silent before. */
const SOON_GIVEN_UP = ['--idle-timeout-ms', '3000'];

atAnEdge('chromium', 'a page outlives a broker that is killed, on one socket', async ({ broker, tab, opened }) => {
  await broker.kill();
  await says(tab, 'waiting');
  assert.deepEqual(await state(tab), { name: 'waiting', reason: 'away' });
  assert.equal(opened.length, 1, 'waiting needs no other socket');
  await broker.start();
  await isTheSameAsEver(broker, tab);
  assert.equal(opened.length, 1, 'all of it came over one socket');
}, SOON_GIVEN_UP);

atAnEdge('firefox-esr', 'a page outlives a broker that shuts down', async ({ broker, tab }) => {
  await broker.shutDown();
  await says(tab, 'waiting');
  assert.deepEqual(await state(tab), { name: 'waiting', reason: 'away' });
  await broker.start();
  await isTheSameAsEver(broker, tab);
});

promise('chromium', 'at an edge the board works, and says what only the broker has', async ({ broker, browser, t }) => {
  const edge = new Edge();
  t.after(() => edge.end());
  await edge.start(broker);
  const asked = [];
  const tab = await openBoard(browser, edge, (request) => asked.push(new URL(request.url()).pathname));
  await tab.waitForSelector('#office-elsewhere', { visible: true });
  for (const selector of ['#office-table', '#office-sell', '#office-closed']) {
    assert.equal(await tab.$eval(selector, (element) => element.checkVisibility()), false, selector);
  }
  await reads(tab, '#talk-log', /Stage door/);
  await tab.click('#job-form button');
  await reads(tab, '#job-list', /Build the set done/);
  assert.equal(await reads(tab, '#line-gaps', /./), '0');
  // By now either column of the poll would have asked again.
  assert.equal(asked.filter((path) => path === '/demo/box-office').length, 1);
}, ['--demo']);

/**
 * A test with an edge before the broker, whose page has shown what was published to the broker and published itself.
 * @param {'chromium' | 'firefox-esr'} kind
 * @param {string} what
 * @param {(scene: { broker: import('../support/broker.js').Broker, opened?: string[] }) => Promise<void>} body
 * @param {string[]} [serve] What the broker is told.
 */
function atAnEdge(kind, what, body, serve) {
  promise(kind, `at an edge ${what}`, async ({ broker, browser, t }) => {
    const edge = new Edge();
    t.after(() => edge.end());
    await edge.start(broker);
    try {
      const tab = await browser.tab();
      const opened = kind === 'chromium' ? await socketsOf(tab) : undefined;
      await openHello(browser, edge, tab);
      await broker.publish('demo/hello', 'from the broker');
      await shows(tab, 'from the broker');
      await writes(tab, 'from the page');
      const both = ['from the broker', 'from the page'];
      assert.deepEqual(await broker.subscribe('demo/hello', 2), both);
      assert.deepEqual(await shows(tab, 'from the page'), both);
      await body({ broker, tab, opened });
    } catch (error) {
      t.diagnostic(`the edge printed:\n${edge.printed}`);
      throw error;
    }
  }, serve);
}

/** The broker is back without what it had: the page says so, and has what comes from then on. */
async function isTheSameAsEver(broker, tab) {
  await shows(tab, '— new-epoch —');
  await says(tab, 'online');
  await broker.publish('demo/hello', 'after');
  assert.deepEqual(await shows(tab, 'after'), ['from the broker', 'from the page', '— new-epoch —', 'after']);
}

/** What the page's bus says of its connection. */
async function state(tab) {
  return tab.evaluate(async () => {
    // Who connects to the same place has the same bus.
    const { connect } = await import('/callboard/index.js');
    const { name, reason } = connect().state;
    return { name, reason: reason?.class };
  });
}
