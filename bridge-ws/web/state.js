// How a connection is doing, in the words that a page reads; it decides nothing.

/** @import { State } from './types.js' */

/**
 * A state that nobody changes.
 * @param {State['name']} name
 * @param {Partial<State>} [more]
 * @returns {State}
 */
export function stateOf(name, more) {
  return Object.freeze({ name, reason: null, retryAt: null, session: null, ...more });
}

/** Of a connection that nothing has needed yet. */
export const IDLE = stateOf('idle');
