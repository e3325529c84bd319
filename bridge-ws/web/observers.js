// Who wants to hear of something: called in the order of their coming, each safe from what the others throw.

import { badRequest, call } from './error.js';

/** @template T */
export class Observers {
  /** @type {Set<{ listener: (value: T) => unknown }>} */
  #all = new Set();
  /** What is being told, and what is to be told behind it. @type {T[]} */
  #waiting = [];

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

  /**
   * Tells everybody. What one of them brings about is told when all have heard this: they all hear one order.
   * @param {T} value
   */
  tell(value) {
    this.#waiting.push(value);
    if (this.#waiting.length > 1) return;
    for (; this.#waiting.length > 0; this.#waiting.shift()) this.#tellOne(this.#waiting[0]);
  }

  /** @param {T} value */
  #tellOne(value) {
    for (const entry of [...this.#all]) {
      if (this.#all.has(entry)) call(entry.listener, value);
    }
  }
}
