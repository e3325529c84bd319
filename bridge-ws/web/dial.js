// What there is to open WebSockets with, and what is said first on each. It decides nothing, and keeps none of them.

import { isWhole } from './address.js';
import { SUBPROTOCOL } from './defaults.js';
import { CallboardError } from './error.js';
import { instance } from './random.js';
import { Session } from './session.js';

/** @import { ResolvedOptions } from './options.js' */
/** @import { Handlers } from './session.js' */
/** @import { Credential, Hello } from './types.js' */

export class Dialer {
  #url;
  #options;
  #instance = instance();

  /**
   * @param {string} url
   * @param {Pick<ResolvedOptions, 'WebSocket' | 'agent'>} options
   */
  constructor(url, options) {
    this.#url = url;
    this.#options = options;
  }

  /** Why no socket can be opened here, if that is so. */
  get obstacle() {
    if (!isWhole(this.#url)) {
      const sentence = "there is no page to resolve a relative URL against: give the full URL";
      return new CallboardError(0, 'no-page', sentence);
    }
    if (typeof this.#WebSocket === 'function') return null;
    const sentence = 'there is no WebSocket here: give one as the option `WebSocket`, such as that of the package ws';
    return new CallboardError(0, 'no-websocket', sentence);
  }

  /**
   * How a session begins.
   * @param {Credential | null} credential
   * @returns {Hello}
   */
  hello(credential) {
    return { kind: 'Hello', agent: this.#options.agent, instance: this.#instance, capabilities: 0, credential };
  }

  /**
   * Opens a socket for a session, or says why the browser does not.
   * @param {Hello} hello
   * @param {Handlers} handlers
   */
  dial(hello, handlers) {
    const WebSocket = this.#WebSocket;
    let socket;
    try {
      socket = new WebSocket(this.#url, [SUBPROTOCOL]);
    } catch (cause) {
      // A page that came over https: may not open plain ws:, for one.
      return new CallboardError(0, 'unreachable', 'the browser refused to open a WebSocket there', { cause });
    }
    return new Session(socket, hello, handlers);
  }

  /** Looked for when it is needed: a server renders pages without one, and a program may bring one later. */
  get #WebSocket() {
    return this.#options.WebSocket ?? globalThis.WebSocket;
  }
}
