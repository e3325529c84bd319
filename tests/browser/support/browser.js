// A browser without a window, quiet towards the network, and what its pages complain of. It visits nothing by itself.
// Tests of one file share its process, as starting one takes seconds, and nothing else of it.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import puppeteer from 'puppeteer-core';

import { DEADLINE_MS } from './deadline.js';

/** The browsers by the names of their programs, with what makes each one quiet. */
const KINDS = {
  chromium: {
    browser: 'chrome',
    args: [
      // It visits no page but ours, and where tests run there is often no right to make a sandbox.
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  },
  'firefox-esr': {
    browser: 'firefox',
    extraPrefsFirefox: {
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
    },
  },
};

/** Why there is no such browser here, as `node:test` wants a reason to skip; `false` if there is one. */
export function missing(kind) {
  return path(kind) === undefined && `${kind} is not installed`;
}

/** The processes that run, by kind. @type {Map<keyof typeof KINDS, Promise<import('puppeteer-core').Browser>>} */
const processes = new Map();

/** Ends every process. */
export async function quit() {
  await Promise.all([...processes.values()].map(async (process) => (await process).close()));
}

export class Browser {
  /** What it keeps is its own, as in a new and empty profile, and is gone when it closes. */
  #context;
  /** @type {string[]} */
  #complaints = [];
  /** @type {RegExp[]} */
  #expected = [];

  /** @param {keyof typeof KINDS} kind */
  static async launch(kind) {
    const browser = new Browser();
    if (!processes.has(kind)) {
      const executablePath = path(kind);
      processes.set(kind, puppeteer.launch({ headless: true, timeout: DEADLINE_MS, executablePath, ...KINDS[kind] }));
    }
    browser.#context = await (await processes.get(kind)).createBrowserContext();
    return browser;
  }

  /** What its pages complained of and no test expects: errors, warnings, and what a policy forbade them. */
  get complaints() {
    return this.#complaints.filter((complaint) => !this.#expected.some((pattern) => pattern.test(complaint)));
  }

  /**
   * Complaints like this are no fault.
   * @param {RegExp} pattern
   */
  expect(pattern) {
    this.#expected.push(pattern);
  }

  /** A new tab. */
  async tab() {
    const page = await this.#context.newPage();
    page.setDefaultTimeout(DEADLINE_MS);
    page.on('console', (message) => {
      if (['error', 'warn', 'assert'].includes(message.type())) this.#complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.#complaints.push(String(error)));
    return page;
  }

  async close() {
    await this.#context.close();
  }
}

/** Where the program of that name is. */
function path(name) {
  const paths = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
