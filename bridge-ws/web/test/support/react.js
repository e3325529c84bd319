// The hooks on both versions of React that they are for, in a document of their own, on a scripted broker.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { JSDOM } from 'jsdom';

import { Broker, fakePage } from './broker.js';
import { FakeClock, settled } from './clock.js';

const FOLDER = fileURLToPath(new URL('../..', import.meta.url));
const { window } = new JSDOM('<!doctype html>', { url: 'https://page.test/app' });
let count = 0;

// React looks for a document when it is loaded, and says what it finds wrong where tests await its work.
globalThis.IS_REACT_ACT_ENVIRONMENT = true;
globalThis.window = window;
globalThis.document = window.document;
globalThis.location = window.location;
globalThis.navigator ??= window.navigator;

/** Both versions of React, each as `{ name, hooks, react, client, server }`. */
export const VERSIONS = await Promise.all(['react18', 'react19'].map(load));

/**
 * A test on each version of React, in StrictMode and without.
 * @param {string} promise
 * @param {(scene: Scene) => Promise<void>} body
 */
export function promise(promise, body) {
  for (const version of VERSIONS) {
    for (const isStrict of [false, true]) {
      test(`${version.name}${isStrict ? ', strict' : ''}: ${promise}`, async () => {
        const scene = new Scene(version, isStrict);
        try {
          await body(scene);
        } finally {
          await scene.end();
        }
      });
    }
  }
}

/** A page of components below a provider for one broker. */
export class Scene {
  broker = new Broker();
  clock = new FakeClock();
  page = fakePage();
  element = document.createElement('div');
  #version;
  #root;

  constructor(version, isStrict) {
    count += 1;
    this.#version = version;
    this.isStrict = isStrict;
    /** @type {string | URL} */
    this.url = `wss://components-${count}.test/v1/bus`;
    this.options = { clock: this.clock, page: this.page, WebSocket: this.broker.WebSocket };
  }

  /** Where the package that it has stands. */
  get folder() {
    return this.#version.folder;
  }

  get hooks() {
    return this.#version.hooks;
  }

  /** `createElement` of this version. */
  get h() {
    return this.#version.react.createElement;
  }

  get react() {
    return this.#version.react;
  }

  get server() {
    return this.#version.server;
  }

  get text() {
    return this.element.textContent;
  }

  /** Elements below the provider. */
  provided(...elements) {
    const { url, options } = this;
    return this.h(this.hooks.MessageBusProvider, { url, options }, ...elements);
  }

  /** Shows elements below the provider. */
  async render(...elements) {
    await this.renderAlone(this.provided(...elements));
  }

  /** Shows an element and nothing around it. */
  async renderAlone(element) {
    this.#root ??= this.#version.client.createRoot(this.element);
    await this.act(() => this.#root.render(this.#strict(element)));
  }

  /** Takes over what a server rendered. */
  async hydrate(element) {
    const onRecoverableError = (error) => {
      throw error;
    };
    await this.act(() => {
      this.#root = this.#version.client.hydrateRoot(this.element, this.#strict(element), { onRecoverableError });
    });
  }

  async unmount() {
    await this.act(() => this.#root.unmount());
    this.#root = undefined;
  }

  /** Does something and lets React follow. */
  async act(action) {
    await this.react.act(async () => {
      await action();
      await settled();
    });
  }

  /**
   * Clicks as a visitor does.
   * @param {string} selector
   */
  click(selector) {
    document.body.append(this.element);
    /** @type {HTMLElement} */ (this.element.querySelector(selector)).click();
    this.element.remove();
  }

  async end() {
    if (this.#root !== undefined) await this.unmount();
  }

  #strict(element) {
    return this.isStrict ? this.h(this.react.StrictMode, null, element) : element;
  }
}

/** A copy of the package where `react` means that version, as a page's bundler has one. */
async function load(name) {
  const place = join(FOLDER, 'test', name, 'node_modules');
  mkdirSync(place, { recursive: true });
  const folder = mkdtempSync(join(place, 'callboard-'));
  process.on('exit', () => rmSync(folder, { recursive: true }));
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.js') || name === 'package.json')) {
    cpSync(join(FOLDER, file), join(folder, file));
  }
  const require = createRequire(join(folder, 'index.js'));
  const [react, client, server] = ['react', 'react-dom/client', 'react-dom/server'].map((path) => require(path));
  const hooks = await import(pathToFileURL(join(folder, 'react.js')).href);
  return { name: `React ${react.version.split('.')[0]}`, folder, hooks, react, client, server };
}
