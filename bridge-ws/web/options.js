// What a page may choose, checked before anything is opened, so that a mistake is told where it was made.

import { utf8 } from './bytes.js';
import { NUMBERS, TIMER_MS_MAX, VERSION } from './defaults.js';
import { badRequest } from './error.js';
import { CREDENTIAL_BYTES_MAX, LABEL_BYTES_MAX } from './limits.js';
import { ownPage } from './page.js';

/** @import { Clock, Credential, Options, Page, WebSocketConstructor } from './types.js' */

/**
 * Options with every default in its place.
 * @typedef {{ [K in keyof typeof NUMBERS]: number } & Pick<Options, 'getToken' | 'incoming' | 'outgoing'> & {
 *   credential: Credential | null, offline: 'queue' | 'fail', agent: string,
 *   WebSocket: WebSocketConstructor | undefined, clock: Clock, page: Page }} ResolvedOptions
 */

/** Time and chance as they are. @type {Clock} */
export const ownClock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

/**
 * @param {Options} options
 * @returns {ResolvedOptions}
 */
export function resolveOptions(options) {
  const { getToken, credential, offline = 'queue', agent = `callboard-js/${VERSION}` } = options;
  const { WebSocket, clock = ownClock, page = ownPage() } = options;
  if (getToken !== undefined && typeof getToken !== 'function') throw badRequest('`getToken` is a function');
  if (getToken !== undefined && credential !== undefined) {
    throw badRequest('give a `getToken` or a `credential`, not both');
  }
  if (offline !== 'queue' && offline !== 'fail') throw badRequest("`offline` must be 'queue' or 'fail'");
  if (typeof agent !== 'string' || utf8(agent).length > LABEL_BYTES_MAX) {
    throw badRequest(`\`agent\` must be a string of at most ${LABEL_BYTES_MAX} bytes`);
  }
  if (WebSocket !== undefined && typeof WebSocket !== 'function') throw badRequest('`WebSocket` must be a constructor');
  const { incoming, outgoing } = options;
  return {
    ...numbers(options), getToken, incoming, outgoing, offline, agent, WebSocket, clock, page,
    credential: toCredential(credential),
  };
}

/**
 * A credential as it was given: a string is an API key, nothing is anonymous.
 * @param {unknown} given
 * @returns {Credential | null}
 */
export function toCredential(given) {
  if (given === null || given === undefined) return null;
  /** @type {any} */
  const credential = typeof given === 'string' ? { strategy: 'apikey', secret: given } : given;
  const { strategy, secret } = credential;
  if (typeof strategy !== 'string' || typeof secret !== 'string') {
    throw badRequest('a credential must be an API key or { strategy, secret }');
  }
  if (utf8(strategy).length > LABEL_BYTES_MAX || utf8(secret).length > CREDENTIAL_BYTES_MAX) {
    throw badRequest(`a credential has at most ${CREDENTIAL_BYTES_MAX} bytes`);
  }
  return { strategy, secret };
}

/** @param {Options} options */
function numbers(options) {
  /** @type {Record<string, number>} */
  const resolved = {};
  for (const [name, { default: preset, least }] of Object.entries(NUMBERS)) {
    const value = /** @type {Record<string, any>} */ (options)[name] ?? preset;
    if (!Number.isInteger(value) || value < least || value > TIMER_MS_MAX) {
      throw badRequest(`\`${name}\` must be a whole number from ${least} to ${TIMER_MS_MAX}`);
    }
    resolved[name] = value;
  }
  return /** @type {{ [K in keyof typeof NUMBERS]: number }} */ (resolved);
}
