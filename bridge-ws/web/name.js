// Channel names, checked once at the edge, so that a mistake is told where it was made; it knows nothing of access.

import { CallboardError } from './error.js';
import { utf8 } from './bytes.js';
import { CHANNEL_NAME_BYTES_MAX } from './limits.js';

/**
 * Throws the first rule of PROTOCOL.md, "Channel names", that a name breaks.
 * @param {unknown} name
 * @returns {asserts name is string}
 */
export function checkName(name) {
  const fault = faultOf(name);
  if (fault !== null) throw new CallboardError(400, 'bad-channel-name', fault);
}

/**
 * Whether a name keeps the rules.
 * @param {string} name
 */
export function isName(name) {
  return faultOf(name) === null;
}

/** @param {unknown} name */
function faultOf(name) {
  if (typeof name !== 'string') return 'a channel name must be a string';
  if (name === '') return 'a channel name has at least one character';
  if (/\p{Surrogate}/u.test(name)) return 'a channel name has no half of a surrogate pair';
  const bytes = utf8(name).length;
  if (bytes > CHANNEL_NAME_BYTES_MAX) {
    return `a channel name has at most ${CHANNEL_NAME_BYTES_MAX} bytes of UTF-8, this one has ${bytes}`;
  }
  if (/\p{Cc}/u.test(name)) return 'a channel name has no control characters';
  for (const segment of name.split('/')) {
    if (segment === '') return 'a channel name has no empty segment: no //, and no / at its beginning or end';
    if (segment === '*' || segment === '**') return '* and ** are reserved for patterns and name no channel';
  }
  return null;
}
