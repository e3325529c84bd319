// Who wants to hear of something: called in the order of their coming, each safe from what the others throw.

import { badRequest, call } from './error.js';

/** @template T */
export class Observers {
  /** @type {Set<{ listener: (value: T) => unknown }>} */
  #all = new Set();

  get size() {
    return this.#all.size;
  }

  /**
   * Adds a listener, also one that is there already. The answer takes it out again.
   * @param {(value: T) => unknown} listener
   * @returns {() => void}
   */
  add(listener) {
    if (typeof listener !== 'function') throw badRequest('a listener is a function');
    const entry = { listener };
    this.#all.add(entry);
    return () => {
      this.#all.delete(entry);
    };
  }

  /** @param {T} value */
  tell(value) {
    for (const entry of [...this.#all]) {
      if (this.#all.has(entry)) call(entry.listener, value);
    }
  }
}
