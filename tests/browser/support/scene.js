// A broker, an app and a browser for one test, gone when it ends; a page that complained fails it. It asserts no more.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { App } from './app.js';
import { Broker } from './broker.js';
import { Browser, missing, quit } from './browser.js';

/** @import { TestContext } from 'node:test' */

after(quit);

/**
 * A test in one browser.
 * @param {'chromium' | 'firefox-esr'} kind
 * @param {string} promise
 * @param {(scene: { app: App, broker: Broker, browser: Browser, t: TestContext }) => Promise<void>} body
 * @param {string[]} serve What the broker is told beside that.
 */
export function promise(kind, promise, body, serve = []) {
  test(`${kind}: ${promise}`, { skip: missing(kind) }, async (t) => {
    const app = await App.start();
    t.after(() => app.end());
    const broker = new Broker([app.origin], serve);
    t.after(() => broker.end());
    await broker.start();
    app.broker = broker.origin;
    const browser = await Browser.launch(kind);
    t.after(() => browser.close());
    try {
      await body({ app, broker, browser, t });
      assert.deepEqual(browser.complaints, [], 'no page complains');
    } catch (error) {
      t.diagnostic(`the broker printed:\n${broker.printed}`);
      t.diagnostic(`pages complained:\n${browser.complaints.join('\n')}`);
      throw error;
    }
  });
}
