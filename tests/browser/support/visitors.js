// The React app in a tab, bundled as apps are. It asserts nothing.

import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { decodeClient } from '../../../bridge-ws/web/codec.js';
import { soon } from './deadline.js';

/** Tabs behind others paint nothing, so that waiting for their next frame would wait for ever. */
const ANY_TAB = { polling: 50 };

const PAGE = '<!doctype html><title>Visitors</title><link rel="icon" href="data:,"><body><script src="visitors.js">'
  + '</script>';

/** The app as one script. */
const SCRIPT = build({
  entryPoints: [place('../apps/visitors.js')],
  // The package as it stands here; `react` is the app's own, wherever it is asked for.
  alias: { 'callboard/react': place('../../../bridge-ws/web/react.js'), react: place('../node_modules/react') },
  define: { 'process.env.NODE_ENV': '"development"' },
  bundle: true,
  write: false,
  format: 'iife',
  logLevel: 'error',
}).then(({ outputFiles }) => outputFiles[0].text);

/**
 * The app, showing nothing yet. In Chromium it has the URLs of the WebSockets that it `opened` and the frames that it
 * `said`.
 * @param {import('./browser.js').Browser} browser
 * @param {import('./app.js').App} app
 * @param {'chromium' | 'firefox-esr'} kind
 */
export async function openVisitors(browser, app, kind = 'chromium') {
  const tab = await browser.tab();
  const [opened, said] = [[], []];
  if (kind === 'chromium') {
    const protocol = await tab.createCDPSession();
    protocol.on('Network.webSocketCreated', ({ url }) => opened.push(url));
    protocol.on('Network.webSocketFrameSent', ({ response }) => {
      said.push(decodeClient(new Uint8Array(Buffer.from(response.payloadData, 'base64'))));
    });
    await protocol.send('Network.enable');
  }
  app.files.set('/visitors', { type: 'text/html', content: PAGE });
  app.files.set('/visitors.js', { type: 'text/javascript', content: await SCRIPT });
  await tab.goto(`${app.origin}/visitors`);
  return Object.assign(tab, { opened, said });
}

/** Shows these components and no other ones. */
export async function show(tab, ...components) {
  await tab.evaluate((components) => globalThis.show(components), components);
}

/** Waits until the messages of these channels come. */
export async function isLive(tab, ...channels) {
  await tab.waitForFunction((names) => names.every((name) => globalThis.live.has(name)), ANY_TAB, channels);
}

/** Waits until a component heard this, and gives all that was heard. */
export async function hears(tab, payload) {
  const heard = await tab.waitForFunction((payload) => {
    return globalThis.heard.some((heard) => (heard.payload ?? heard) === payload) && globalThis.heard;
  }, ANY_TAB, payload);
  return heard.jsonValue();
}

/** Waits until an element says this. */
export async function says(tab, selector, text) {
  await tab.waitForFunction((selector, text) => {
    return document.querySelector(selector)?.textContent === text;
  }, ANY_TAB, selector, text);
}

/** Waits until a channel was polled so many times. */
export async function polls(tab, channel, count) {
  await tab.waitForFunction((channel, count) => globalThis.polled[channel] >= count, ANY_TAB, channel, count);
}

/** How many times a channel was polled. */
export async function polled(tab, channel) {
  return tab.evaluate((channel) => globalThis.polled[channel] ?? 0, channel);
}

/** Waits until a tab said a frame of this kind about a channel. */
export async function tells(tab, kind, channel) {
  const look = async () => {
    while (!tab.said.some((frame) => frame.kind === kind && frame.channel === channel)) await tab.evaluate(() => {});
  };
  await soon(`${kind} of ${channel}`, look());
}

/** Hides a page, or shows it. */
export async function setVisible(tab, isVisible) {
  await tab.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, value: state });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isVisible ? 'visible' : 'hidden');
}

function place(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
