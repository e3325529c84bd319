// What tests do with a tab: the broker's pages as a visitor has them, and pages of the test's own. It asserts nothing.

import { soon } from './deadline.js';

/** Tabs behind others paint nothing, so that waiting for their next frame would wait for ever. */
const ANY_TAB = { polling: 50 };

/**
 * The page of ten lines, online.
 * @param {import('./browser.js').Browser} browser
 * @param {{ origin: string }} door Of a broker, or of an edge.
 */
export async function openHello(browser, door, tab = undefined) {
  tab ??= await browser.tab();
  await tab.goto(`${door.origin}/hello`);
  await says(tab, 'online');
  return tab;
}

/**
 * The board at `/`, online.
 * @param {import('./browser.js').Browser} browser
 * @param {{ origin: string }} door Of a broker, or of an edge.
 * @param {(request: import('puppeteer-core').HTTPRequest) => void} [onRequest] Sees what the board asks for.
 */
export async function openBoard(browser, door, onRequest = () => {}) {
  const tab = await browser.tab();
  tab.on('request', onRequest);
  await tab.goto(door.origin);
  await says(tab, 'online');
  return tab;
}

/** Waits until a page of the broker says that its connection is so. */
export async function says(tab, state) {
  await tab.waitForFunction((wanted) => document.querySelector('output').value === wanted, ANY_TAB, state);
}

/**
 * Waits until the element that `selector` finds says what `pattern` matches, and gives all that it says.
 * @param {RegExp} pattern
 */
export async function reads(tab, selector, pattern) {
  const found = await tab.waitForFunction((selector, source) => {
    const text = document.querySelector(selector)?.textContent ?? '';
    return new RegExp(source).test(text) && text;
  }, ANY_TAB, selector, pattern.source);
  return found.jsonValue();
}

/** Waits until the page of ten lines shows a line, and gives all that it shows, the latest last. */
export async function shows(tab, line) {
  const shown = await tab.waitForFunction((wanted) => {
    const lines = document.querySelector('pre').textContent.split('\n').slice(0, -1);
    return lines.includes(wanted) && lines.reverse();
  }, {}, line);
  return shown.jsonValue();
}

/** Publishes on the page of ten lines as a visitor does. */
export async function writes(tab, text) {
  await tab.type('input', text);
  await tab.keyboard.press('Enter');
}

/**
 * The URLs of the WebSockets that a tab of Chromium opens from here on.
 * @returns {Promise<string[]>}
 */
export async function socketsOf(tab) {
  const protocol = await tab.createCDPSession();
  const opened = [];
  protocol.on('Network.webSocketCreated', ({ url }) => opened.push(url));
  await protocol.send('Network.enable');
  return opened;
}

/**
 * A page of an app, with nothing in it; `listen` fills it. It has the URLs of the WebSockets that it `opened`.
 * @param {import('./browser.js').Browser} browser
 * @param {import('./app.js').App} app
 */
export async function openApp(browser, app) {
  const tab = await browser.tab();
  const [protocol, opened] = [await tab.createCDPSession(), await socketsOf(tab)];
  await tab.goto(app.origin);
  await tab.evaluate(async (broker) => {
    const { connect } = await import(`${broker}/callboard/index.js`);
    /** What a component of the app does to have the bus. */
    globalThis.join = (options) => connect(`${broker}/v1/bus`, options);
    globalThis.seen = [];
    globalThis.gaps = [];
  }, app.broker);
  return Object.assign(tab, { opened, protocol });
}

/** A component of an app's page listens to a channel. Resolves when the broker has answered. */
export async function listen(tab, channel) {
  await soon(`the subscription of ${channel}`, tab.evaluate(async (channel) => {
    const onGap = (gap) => globalThis.gaps.push(gap);
    await globalThis.join().subscribe(channel, (payload) => globalThis.seen.push(payload), { onGap }).ready;
  }, channel));
}

/** Waits until so many payloads like this one were seen on an app's page. */
export async function sees(tab, payload, count = 1) {
  await tab.waitForFunction(
    (payload, count) => globalThis.seen.filter((seen) => seen === payload).length >= count,
    ANY_TAB,
    payload,
    count,
  );
}

/** Every payload that was seen on an app's page, in order. */
export async function seen(tab) {
  return tab.evaluate(() => globalThis.seen);
}
