// React components use the bus as the seed's hook is printed: one socket for all, whatever comes and goes.

import assert from 'node:assert/strict';

import { promise } from '../support/scene.js';
import { hears, isLive, openVisitors, polled, polls, says, setVisible, show, tells } from '../support/visitors.js';

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'the hook of the seed hears a string and its channel', async ({ app, broker, browser }) => {
    const tab = await openVisitors(browser, app, kind);
    await show(tab, ['Arrivals'], ['Listener', { channel: 'visitor-arrival' }]);
    await isLive(tab, 'visitor-arrival');
    await broker.publish('visitor-arrival', '{"name":"Ada"}');
    const heard = await hears(tab, '{"name":"Ada"}');
    assert.deepEqual(heard[0], { payload: '{"name":"Ada"}', channel: 'visitor-arrival' });
  });
}

promise('chromium', 'components share a socket; who goes unsubscribes', async ({ app, broker, browser }) => {
  const tab = await openVisitors(browser, app);
  await show(tab, ['Line'], ['Listener', { channel: null }]);
  await says(tab, '#line', 'idle');
  assert.deepEqual(tab.opened, []);
  const channels = [...Array(10).keys()].map((number) => `demo/${number}`);
  const listeners = channels.flatMap((channel) => [['Listener', { channel }], ['Listener', { channel, other: true }]]);
  await show(tab, ['Line'], ...listeners);
  await isLive(tab, ...channels);
  await says(tab, '#line', 'online');
  await broker.publish('demo/7', 'seven');
  assert.deepEqual(await hears(tab, 'seven'), ['seven', 'seven']);
  await show(tab, ...listeners.slice(2));
  await tells(tab, 'Unsubscribe', 'demo/0');
  // StrictMode mounted each of them twice, and the broker was told of each channel once.
  const kinds = tab.said.filter(({ kind }) => kind === 'Subscribe' || kind === 'Unsubscribe');
  assert.deepEqual(kinds.map(({ kind, channel }) => `${kind} ${channel}`), [
    ...channels.map((channel) => `Subscribe ${channel}`), 'Unsubscribe demo/0',
  ]);
  assert.deepEqual(tab.opened, [`${app.origin.replace('http', 'ws')}/v1/bus`]);
});

promise('chromium', 'components outlive their broker and are told of the gap', async ({ app, broker, browser }) => {
  const tab = await openVisitors(browser, app);
  await show(tab, ['Line'], ['Listener', { channel: 'demo/a' }], ['Board', { channel: 'demo/a' }]);
  await isLive(tab, 'demo/a');
  await broker.publish('demo/a', 'before');
  await hears(tab, 'before');
  await polls(tab, 'demo/a', 2);
  browser.expect(/^WebSocket connection to .* failed/);
  await broker.kill();
  await says(tab, '#line', 'waiting');
  await broker.start();
  await isLive(tab, 'demo/a');
  // What is polled knows no message of the time between, and was read again.
  await polls(tab, 'demo/a', 3);
  await broker.publish('demo/a', 'after');
  assert.deepEqual(await hears(tab, 'after'), ['before', 'after']);
  assert.deepEqual(await tab.evaluate(() => globalThis.gaps), ['new-epoch']);
});

promise('chromium', 'two tabs with channels of their own do not hear each other', async ({ app, broker, browser }) => {
  const tabs = [await openVisitors(browser, app), await openVisitors(browser, app)];
  const channels = [];
  for (const tab of tabs) {
    await show(tab, ['Job'], ['Listener', { channel: 'demo/both' }]);
    const channel = await (await tab.waitForSelector('#job')).evaluate((job) => job.textContent);
    await isLive(tab, channel, 'demo/both');
    channels.push(channel);
  }
  for (const [place, channel] of channels.entries()) await broker.publish(channel, `for tab ${place}`);
  await broker.publish('demo/both', 'for both');
  for (const [place, tab] of tabs.entries()) {
    await hears(tab, 'for both');
    assert.deepEqual((await hears(tab, `for tab ${place}`)).toSorted(), ['for both', `for tab ${place}`]);
  }
});

promise('chromium', 'the newest callback hears each message', async ({ app, broker, browser }) => {
  const tab = await openVisitors(browser, app);
  await show(tab, ['Counter', { channel: 'demo/a' }], ['Listener', { channel: 'demo/a' }]);
  await isLive(tab, 'demo/a');
  for (const count of ['1', '2', '3']) {
    await broker.publish('demo/a', count);
    await says(tab, '#count', count);
  }
  assert.deepEqual(tab.said.filter(({ kind }) => kind === 'Subscribe').length, 1);
});

promise('chromium', 'what is polled is read when the bus says so', async ({ app, broker, browser }) => {
  const tab = await openVisitors(browser, app);
  await show(tab, ['Board', { channel: 'demo/board' }], ['Listener', { channel: 'demo/board' }]);
  await isLive(tab, 'demo/board');
  assert.equal(await polled(tab, 'demo/board'), 1);
  await broker.publish('demo/board', 'one');
  await polls(tab, 'demo/board', 2);
  await setVisible(tab, false);
  await broker.publish('demo/board', 'two');
  await broker.publish('demo/board', 'three');
  await hears(tab, 'three');
  assert.equal(await polled(tab, 'demo/board'), 2);
  await setVisible(tab, true);
  await polls(tab, 'demo/board', 3);
  assert.equal(await polled(tab, 'demo/board'), 3);
});
