// Whether the broker is still there: it promised to say something every so often. It never speaks itself.

import { ASLEEP_MS, FROZEN_MS } from './defaults.js';

/** @import { Clock } from './types.js' */

/**
 * Notices a silence that is longer than the broker promised.
 *
 * A hidden page's timers come late, and a page that slept finds its timers before the messages that waited for it. So a
 * timer that comes late decides nothing: the silence must last for another grace.
 */
export class Liveness {
  #clock;
  #grace;
  #onSilence;
  #bound = 0;
  #heardAt = 0;
  #dueAt = 0;
  #isDoubted = false;
  /** @type {any} */
  #timer = null;

  /**
   * @param {Clock} clock
   * @param {number} graceMs
   * @param {() => void} onSilence
   */
  constructor(clock, graceMs, onSilence) {
    this.#clock = clock;
    this.#grace = graceMs;
    this.#onSilence = onSilence;
  }

  /**
   * A session is open. An interval of 0 promises nothing.
   * @param {number} intervalMs
   */
  begin(intervalMs) {
    this.end();
    if (intervalMs === 0) return;
    this.#bound = intervalMs + this.#grace;
    this.heard();
    this.#arm(this.#bound);
  }

  /** The broker said something. */
  heard() {
    this.#heardAt = this.#clock.now();
    this.#isDoubted = false;
  }

  /** The page is visible again, and a long silence may have its reason in that. */
  shown() {
    if (this.#timer === null || this.#isDoubted || this.#silence() < this.#bound) return;
    this.#doubt();
  }

  /** The session is over. */
  end() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look() {
    const silence = this.#silence();
    const late = this.#clock.now() - this.#dueAt;
    if (silence < this.#bound) this.#arm(this.#bound - silence);
    else if (late > (this.#isDoubted ? FROZEN_MS : ASLEEP_MS)) this.#doubt();
    else {
      this.#timer = null;
      this.#onSilence();
    }
  }

  #doubt() {
    this.#isDoubted = true;
    this.#arm(Math.max(this.#grace, ASLEEP_MS));
  }

  /** How long nothing was heard. A clock that was set back makes it no longer and no shorter than it can be. */
  #silence() {
    const silence = this.#clock.now() - this.#heardAt;
    if (silence >= 0) return silence;
    this.#heardAt = this.#clock.now();
    return 0;
  }

  /** @param {number} ms */
  #arm(ms) {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#dueAt = this.#clock.now() + ms;
    // A browser's timer holds 2^31 - 1 ms; one that comes early just looks again.
    this.#timer = this.#clock.setTimeout(() => this.#look(), Math.min(ms, 0x7fffffff));
  }
}
