// What a page may ask of a subscription, checked where it is asked, and the words for what cannot be; it keeps nothing.

import { CallboardError, badRequest } from './error.js';
import { U32_MAX } from './limits.js';
import { checkName } from './name.js';

/** @import { SubscribeOptions } from './types.js' */

/**
 * Throws what is wrong with a call of `subscribe`.
 * @param {string} name
 * @param {unknown} listener
 * @param {SubscribeOptions} options
 */
export function checkSubscription(name, listener, { rewind = 0, excludeOwn = false, onGap, onLive, onEnd }) {
  checkName(name);
  if (typeof listener !== 'function') throw badRequest('a listener is a function');
  for (const given of [onGap, onLive, onEnd]) {
    if (given !== undefined && typeof given !== 'function') {
      throw badRequest('`onGap`, `onLive` and `onEnd` must be functions');
    }
  }
  if (!Number.isInteger(rewind) || rewind < 0 || rewind > U32_MAX) {
    throw badRequest('`rewind` must be a whole number of messages');
  }
  if (typeof excludeOwn !== 'boolean') throw badRequest('`excludeOwn` must be true or false');
}

/** @param {string} name */
export function alreadySubscribed(name) {
  const sentence = `this page is already subscribed to ${name} with another \`excludeOwn\`:`
    + ' use the same, or a connection of its own (`shared: false`)';
  return new CallboardError(409, 'already-subscribed', sentence);
}
