// One thing to do later, at most once at a time.

/** @import { Clock } from './types.js' */

export class Timer {
  #clock;
  #callback;
  /** @type {any} */
  #handle = null;

  /**
   * @param {Clock} clock
   * @param {() => void} callback
   */
  constructor(clock, callback) {
    this.#clock = clock;
    this.#callback = callback;
  }

  /**
   * Begins anew.
   * @param {number} ms
   */
  start(ms) {
    this.stop();
    this.#handle = this.#clock.setTimeout(() => {
      this.#handle = null;
      this.#callback();
    }, ms);
  }

  /**
   * Begins, unless it runs.
   * @param {number} ms
   */
  startOnce(ms) {
    if (this.#handle === null) this.start(ms);
  }

  stop() {
    if (this.#handle !== null) this.#clock.clearTimeout(this.#handle);
    this.#handle = null;
  }
}
