// When to come back after a session ended: a pure state whose jitter is an argument; it has no clock and no timer.

import { Return } from './close.js';
import { AT_ONCE_JITTER_MS, RESUMED_PAUSE_MS_MAX, RETRY_AFTER_CAP_MS, SESSION_IS_WELL_MS } from './defaults.js';

/** @import { Advice } from './close.js' */

/**
 * How a session or an attempt ended, as far as coming back is concerned.
 * @typedef {object} Ending
 * @property {Advice} advice What the close code says.
 * @property {number | null} retryAfter How many milliseconds the broker wants to be left alone.
 * @property {number} livedMs How long the session was open; 0 for an attempt that opened none.
 * @property {boolean} [isLast] Whether none follows unless the page asks.
 */

/**
 * When the next attempt may begin, in milliseconds from now.
 * @typedef {object} Pause
 * @property {number} wait The pause: with full jitter, and never below the floor.
 * @property {number} floor What the broker asked for. Nothing makes the next attempt come earlier.
 */

/** @type {Pause} */
export const NO_PAUSE = Object.freeze({ wait: 0, floor: 0 });

/**
 * Whether a client comes back unasked.
 * @param {Advice} advice
 * @param {boolean} isRenewable Whether the next attempt can show another credential.
 */
export function comesBack(advice, isRenewable) {
  return advice === Return.WithNewCredential ? isRenewable : advice !== Return.Never && advice !== Return.Unasked;
}

/**
 * The pause on a socket that a bridge has kept, which the bridge does not keep without Hello for long.
 * @param {number} left Of the pause since the last end.
 * @param {number} random From 0 up to 1, evenly: what is cut short is spread as well.
 */
export function afterResumed(left, random) {
  return left > RESUMED_PAUSE_MS_MAX ? RESUMED_PAUSE_MS_MAX * random : left;
}

/** The client's growing pause: full jitter, so it lies evenly between nothing and a bound that doubles. */
export class Backoff {
  #base;
  #cap;
  /** How many sessions or attempts ended since one lived long enough. */
  #failures = 0;

  /**
   * @param {number} baseMs
   * @param {number} capMs
   */
  constructor(baseMs, capMs) {
    this.#base = baseMs;
    this.#cap = capMs;
  }

  /**
   * The pause after an ending, also after one that only a page's own wish follows: who wishes again and again is no
   * better than who tries again and again, so that no further wish cuts it short.
   * @param {Ending} ending
   * @param {number} random From 0 up to 1, evenly.
   * @returns {Pause}
   */
  after({ advice, retryAfter, livedMs, isLast = false }, random) {
    if (livedMs >= SESSION_IS_WELL_MS) this.reset();
    const floor = Math.min(retryAfter ?? 0, RETRY_AFTER_CAP_MS);
    // A broker that always says "now" must not be asked in a tight loop: this holds once, until a session has lived
    // long enough.
    if (advice === Return.AtOnce && this.#failures === 0) {
      this.#failures = 1;
      return { wait: Math.max(AT_ONCE_JITTER_MS * random, floor), floor };
    }
    const wait = Math.max(this.pause(random), floor);
    return { wait, floor: isLast ? wait : floor };
  }

  /**
   * The pause after a session or an attempt that the page itself ended to have another one. That is no failure.
   * @param {number} livedMs As of {@link Ending}.
   * @param {number} random From 0 up to 1, evenly.
   * @returns {Pause}
   */
  renewed(livedMs, random) {
    if (livedMs >= SESSION_IS_WELL_MS) this.reset();
    return { wait: AT_ONCE_JITTER_MS * random, floor: 0 };
  }

  /** All is well: the next pause is the first again. */
  reset() {
    this.#failures = 0;
  }

  /**
   * The next pause of the client's own, in milliseconds.
   * @param {number} random From 0 up to 1, evenly.
   */
  pause(random) {
    const bound = Math.min(this.#base * 2 ** this.#failures, this.#cap);
    this.#failures += 1;
    return bound * random;
  }
}
