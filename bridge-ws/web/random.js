// Random bits that nobody can guess, from the one source that pages on plain http have too.

import { ONE_OFF_PREFIX } from './defaults.js';

/** 128 random bits. */
export function instance() {
  return globalThis.crypto.getRandomValues(new Uint8Array(16));
}

/**
 * A channel name that nobody else has, for one purpose and once: `once/` and 128 random bits in base 16. Whoever is
 * told the name can publish there.
 */
export function oneOffChannel() {
  return ONE_OFF_PREFIX + Array.from(instance(), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
