// Where the broker is: a page's words made into the one URL that a WebSocket is opened to. It opens nothing.

import { PATH } from './defaults.js';
import { badRequest } from './error.js';

/** @type {Record<string, string>} */
const SCHEMES = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' };

/**
 * The URL to connect to. Without one it is {@link PATH} on the page's own origin; a relative one begins at the page's
 * own address.
 *
 * No sentence repeats the URL: it may have a secret in it.
 * @param {unknown} given
 * @param {string | undefined} base The page's own address.
 */
export function addressOf(given, base = globalThis.location?.href) {
  if (given !== undefined && typeof given !== 'string' && !(given instanceof URL)) {
    throw badRequest('the broker is named by a URL');
  }
  const url = parse(given ?? PATH, base);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw badRequest(`a broker is found under ws:, wss:, http: or https:, not under ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw badRequest('a URL has no room for a name and a password: use `credential` or `getToken`');
  }
  if (url.hash !== '') throw badRequest('the URL of a WebSocket has no fragment');
  url.protocol = scheme;
  return url.href;
}

/**
 * @param {string | URL} given
 * @param {string | undefined} base
 */
function parse(given, base) {
  try {
    return new URL(given, base);
  } catch (error) {
    const hint = base === undefined ? ', and there is no page here whose origin could be meant' : '';
    throw badRequest(`the broker's URL is not one${hint}`, error);
  }
}
