// The channels that the broker gave this session unasked: nobody listens to them here, and their deliveries are judged
// all the same.

import { NAMED_MAX } from './defaults.js';
import { Track } from './recovery.js';

/** @import { Named as NamedFrame } from './types.js' */

/** Where each of them stands. */
export class Named {
  /** @type {Map<number, Track>} */
  #tracks = new Map();
  /** @type {Map<string, number>} */
  #numbers = new Map();
  #overflowed = false;

  /** Whether there were more than are remembered: a number that is not known may have been given. */
  get hasOverflowed() {
    return this.#overflowed;
  }

  /**
   * A channel gets its number. `false` if the number is another channel's.
   * @param {NamedFrame} frame
   */
  insert({ channel, name, position }) {
    if (this.#numbers.get(name) !== channel) {
      if (this.#tracks.has(channel)) return false;
      this.remove(name);
      if (this.#tracks.size >= NAMED_MAX) {
        this.#overflowed = true;
        return true;
      }
      this.#numbers.set(name, channel);
    }
    this.#tracks.set(channel, new Track(position));
    return true;
  }

  /**
   * The channel's number is given up, or comes from a subscription from now on.
   * @param {string} name
   */
  remove(name) {
    const channel = this.#numbers.get(name);
    if (channel === undefined) return;
    this.#numbers.delete(name);
    this.#tracks.delete(channel);
  }

  /**
   * Whether the number was given to a channel of another name.
   * @param {number} channel
   * @param {string} name
   */
  isAnothers(channel, name) {
    return this.#tracks.has(channel) && this.#numbers.get(name) !== channel;
  }

  /** @param {number} channel */
  track(channel) {
    return this.#tracks.get(channel);
  }
}
