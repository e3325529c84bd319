// The board at `/` is at work with nothing to set up: tabs talk, jobs tell how far they are, what was missed comes.

import assert from 'node:assert/strict';

import { look } from '../support/look.js';
import { promise } from '../support/scene.js';
import { openBoard, reads, says } from '../support/tab.js';

const DEMO = ['--demo'];

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'everything on the board works', async ({ broker, browser }) => {
    const [one, other] = [await openBoard(browser, broker), await openBoard(browser, broker)];
    await post(one, 'Ada', 'Is anybody there?');
    await reads(other, '#talk-log', /^Stage door .*Ada Is anybody there\?/);
    await post(other, 'Grace', 'I am.');
    await reads(one, '#talk-log', /Is anybody there\?.*Grace I am\./);

    await one.bringToFront();
    await one.click('#job-form button');
    await reads(one, '#job-list', /Build the set done/);
    assert.equal(await one.$eval('progress', (bar) => bar.value / bar.max), 1);
    assert.equal(await other.$eval('#job-list', (list) => list.childElementCount), 0, 'a job of one tab is its own');

    await reads(one, cell('bus', 'requests'), /[1-9]/);
    const before = Number(await one.$eval(cell('bus', 'sold'), (sold) => sold.textContent));
    await one.click('#office-sell');
    // Who is busy sells one more meanwhile.
    await one.waitForFunction((at, least) => Number(document.querySelector(at).textContent) > least, {}, cell('bus', 'sold'), before);
    await reads(one, cell('bus', 'late'), /^\d+\.\d+ s$/);

    await reads(one, '#line-trip', /^\d+\.\d ms$/);
    await reads(one, '#line-place', /^offset \d+ of epoch \d+$/);
    await look(one, kind, 'board');
  }, DEMO);
}

promise('chromium', 'a line that is cut comes back, and everything that was missed with it', async (scene) => {
  const { broker, browser } = scene;
  const tab = await openBoard(browser, broker);
  const session = await reads(tab, '#line-session', /^\d+$/);
  await tab.focus('#cut-now');
  await tab.keyboard.press('Enter');
  await says(tab, 'waiting');
  await tab.waitForSelector('#cut-now[aria-disabled=true]:focus');
  await reads(tab, '#line-next', /^in \d+\.\d s$/);
  assert.equal(await reads(tab, '#cut-status', /arrived/), '20 of 20 notes arrived, in order.');
  await says(tab, 'online');
  assert.notEqual(await tab.$eval('#line-session', (element) => element.textContent), session);
  assert.equal(await tab.$eval('#line-gaps', (gaps) => gaps.textContent), '0');
  await tab.waitForSelector('#cut-now[aria-disabled=false]');
}, DEMO);

promise('chromium', 'the board outlives its broker, and says where something may be missing', async (scene) => {
  const { broker, browser } = scene;
  // The browser says so each time that it finds nobody there.
  browser.expect(/^WebSocket connection to .* failed|^Failed to load resource: net::ERR_CONNECTION_REFUSED/);
  browser.expect(/Failed to fetch/);
  const tab = await openBoard(browser, broker);
  await post(tab, 'Ada', 'before');
  await reads(tab, '#talk-log', /before/);
  await tab.click('#job-form button');
  await reads(tab, '#job-list', /%/);
  await broker.kill();
  await says(tab, 'waiting');
  await reads(tab, '#line-why', /^(the connection was lost|no WebSocket was opened)/);
  await post(tab, 'Ada', 'while it was away');
  await tab.click('#cut-now');
  assert.equal(await reads(tab, '#cut-status', /./), 'It starts when the connection is up.');
  await broker.start();
  await reads(tab, '#talk-log', /before.*new-epoch.*while it was away/);
  await reads(tab, '#line-gaps', /[1-9]/);
  await reads(tab, '#job-list', /progress lost \(new-epoch\)/);
  assert.equal(await reads(tab, '#cut-status', /arrived/), '20 of 20 notes arrived, in order.');
  await tab.click('#job-form button');
  await reads(tab, '#job-list', /done/);
}, DEMO);

promise('chromium', 'who hears the board is told once that the broker is away, and once that it is back', async (scene) => {
  const { broker, browser } = scene;
  browser.expect(/^WebSocket connection to .* failed|^Failed to load resource: net::ERR_CONNECTION_REFUSED/);
  browser.expect(/Failed to fetch/);
  const tab = await openBoard(browser, broker);
  await tab.$eval('output', (output) => {
    globalThis.said = [];
    // Screen readers speak of each change, also of one to the same words.
    const hear = () => globalThis.said.push(output.value);
    new MutationObserver(hear).observe(output, { childList: true, characterData: true, subtree: true });
  });
  await broker.kill();
  await reads(tab, '#line-attempts', /^[5-9]$/);
  await broker.start();
  await says(tab, 'online');
  assert.deepEqual(await tab.evaluate(() => globalThis.said), ['waiting', 'online']);
});

promise('chromium', 'a word that the broker does not take is no good round trip', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  await reads(tab, '#line-trip', /ms$/);
  broker.stop();
  await reads(tab, '#line-trip', /^waiting for [2-9] s$/);
  assert.equal(await tab.$eval('output', (output) => output.value), 'online');
  broker.resume();
  await reads(tab, '#line-trip', /^\d+\.\d m?s$/);
});

promise('chromium', 'whoever looks at the board may have it connect anew', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  const session = await reads(tab, '#line-session', /^\d+$/);
  await tab.click('#line-retry');
  await tab.waitForFunction((before) => ![before, '–'].includes(document.querySelector('#line-session').textContent), {}, session);
  await says(tab, 'online');
  assert.equal(await reads(tab, '#line-why', /./), '–');
});

promise('chromium', 'the code that is shown is what runs', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  const sheets = await tab.$$eval('.script', (scripts) => scripts.map((script) => ({
    module: script.querySelector('a').getAttribute('href'),
    code: script.querySelector('code').textContent,
  })));
  assert.equal(sheets.length, 5);
  for (const { module, code } of sheets) {
    const text = await tab.evaluate(async (path) => (await fetch(path)).text(), module);
    for (const part of code.split('\n\n')) assert.ok(text.includes(part.trimEnd()), `${module}: ${part}`);
    assert.match(code, /bus/);
  }
});

promise('chromium', 'without its program the board says kindly what to do', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  await tab.waitForSelector('#office-closed', { visible: true });
  assert.match(await reads(tab, '#office-closed', /./), /callboard serve --demo/);
  await tab.click('#job-form button');
  await reads(tab, '#job-list', /callboard serve --demo/);
});

promise('chromium', 'jobs that nobody takes cost a page nothing once it has said so', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  await tab.bringToFront();
  // Beside the talk and the box office two fit, of which one is being let go.
  for (let job = 0; job < 3; job += 1) {
    await tab.click('#job-form button');
    await reads(tab, '#job-list li:first-child', /callboard serve --demo/);
  }
  assert.equal(await tab.$eval('#refused', (refused) => refused.hidden), true);
}, ['--subscriptions-max', '4']);

promise('chromium', 'who may not publish is told so', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  await tab.waitForSelector('#refused', { visible: true });
  assert.match(await reads(tab, '#refused', /./), /^The broker refused: ./);
}, ['--anonymous-publish=false']);

promise('chromium', 'what somebody posts is text, and never a part of the board', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  const attack = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  await broker.publish('demo/talk', attack);
  assert.equal(await reads(tab, '#talk-log', /img/), `Somebody ${attack}`);
  await post(tab, attack.slice(0, 30), attack);
  await reads(tab, '#talk-log', /img.*img.*img/);
  assert.equal(await tab.title(), 'Callboard');
});

promise('chromium', 'whoever sees little, or uses keys, has the whole board', async ({ broker, browser }) => {
  const tab = await openBoard(browser, broker);
  await tab.setViewport({ width: 360, height: 780 });
  assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), 360, 'nothing is out of sight');
  const { children } = await tab.accessibility.snapshot({ interestingOnly: true });
  const nameless = children.filter(({ role, name }) => /button|link|textbox|combobox|log/.test(role) && !name);
  assert.deepEqual(nameless, []);
  const landmarks = await tab.$$eval('main, header, footer, section[aria-labelledby], [role=log], [role=status], h1, h2', (all) => all.length);
  assert.ok(landmarks > 15, `${landmarks}`);

  await tab.keyboard.press('Tab');
  assert.equal(await tab.evaluate(() => document.activeElement.className), 'skip');
  const reached = new Set();
  for (let step = 0; step < 40; step += 1) {
    await tab.keyboard.press('Tab');
    reached.add(await tab.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  for (const wanted of ['talk-log', 'talk-name', 'talk-text', 'Post', 'job-name', 'Start', 'office-sell', 'cut-now']) {
    assert.ok(reached.has(wanted), `${wanted}: ${[...reached]}`);
  }
}, DEMO);

promise('chromium', 'where nothing is, a page says so', async ({ broker, browser }) => {
  browser.expect(/404/);
  const tab = await browser.tab();
  const response = await tab.goto(`${broker.origin}/nowhere`);
  assert.equal(response.status(), 404);
  assert.equal(await reads(tab, 'h1', /./), 'Nothing is here');
  await Promise.all([tab.waitForNavigation(), tab.click('a')]);
  await says(tab, 'online');
});

/** Posts as a visitor does. */
async function post(tab, name, text) {
  await tab.bringToFront();
  await tab.$eval('#talk-name', (input, name) => {
    input.value = name;
  }, name);
  await tab.type('#talk-text', text);
  await tab.keyboard.press('Enter');
}

function cell(of, row) {
  return `[data-of=${of}][data-row=${row}]`;
}
