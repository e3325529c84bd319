// How long a page stays away from the broker: the pause that began with the last end, and what is left of it. It has no
// timer, and begins no attempt.

import { Backoff, NO_PAUSE } from './backoff.js';
import { WAKE_PAUSE_MS } from './defaults.js';

/** @import { Ending, Pause } from './backoff.js' */
/** @import { ResolvedOptions } from './options.js' */
/** @import { Clock } from './types.js' */

export class Pauses {
  /** @type {Clock} */
  #clock;
  #backoff;
  /** The pause that began with the last end; an open session ends it. @type {Pause} */
  #pause = NO_PAUSE;
  #since = 0;
  /** When an event last cut a pause short. */
  #wokenAt = -Infinity;

  /** @param {ResolvedOptions} options */
  constructor({ clock, backoffBaseMs, backoffCapMs }) {
    this.#clock = clock;
    this.#backoff = new Backoff(backoffBaseMs, backoffCapMs);
  }

  /** How many milliseconds of the pause are left. */
  get left() {
    return this.#leftOf(this.#pause.wait);
  }

  /** How many are left of what the broker asked for, which nothing cuts short. */
  get leastLeft() {
    return this.#leftOf(this.#pause.floor);
  }

  /**
   * Something speaks for a better chance than a moment ago. Such events may come by the hundred: only the first of a
   * second cuts the pause short at once.
   * @returns {number} How many milliseconds are left for it.
   */
  wake() {
    const now = this.#clock.now();
    const again = Math.min(this.#wokenAt, now) + WAKE_PAUSE_MS - now;
    if (again <= 0) this.#wokenAt = now;
    return Math.max(this.leastLeft, Math.min(this.left, again));
  }

  /**
   * A session or an attempt has ended, and a pause begins.
   * @param {Ending} ending
   */
  begin(ending) {
    this.#start(this.#backoff.after(ending, this.#clock.random()));
  }

  /**
   * The page ended one to have another.
   * @param {number} livedMs How long the session was open, if it was.
   */
  renew(livedMs) {
    this.#start(this.#backoff.renewed(livedMs, this.#clock.random()));
  }

  /** A session is open. */
  end() {
    this.#pause = NO_PAUSE;
  }

  /** @param {Pause} pause */
  #start(pause) {
    this.#pause = pause;
    this.#since = this.#clock.now();
  }

  /** @param {number} ms */
  #leftOf(ms) {
    const now = this.#clock.now();
    // A clock that was set back makes no pause longer than it is.
    this.#since = Math.min(this.#since, now);
    return this.#since + ms - now;
  }
}
