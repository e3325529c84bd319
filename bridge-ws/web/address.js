// Where the broker is: a page's words made into the one URL that a WebSocket is opened to. It opens nothing.

import { PATH } from './defaults.js';
import { badRequest } from './error.js';

/** @type {Record<string, string>} */
const SCHEMES = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' };

/**
 * The URL to connect to. Without one it is {@link PATH} on the page's own origin; a relative one begins at the page's
 * own address. Where there is no page, as on a server that renders one, it stays relative, and nothing can be opened.
 *
 * No sentence repeats the URL: it may have a secret in it.
 * @param {unknown} given
 * @param {string | undefined} base The page's own address.
 */
export function addressOf(given, base = globalThis.location?.href) {
  const named = given === undefined ? PATH : given;
  if (typeof named !== 'string' && !(named instanceof URL)) {
    throw badRequest('the URL must be a string or a URL');
  }
  const url = parse(named, base);
  if (url === null) return String(named);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw badRequest(`the broker's URL begins with ws:, wss:, http: or https:, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw badRequest('use `credential` or `getToken`, not a password in the URL');
  }
  if (url.hash !== '') throw badRequest('the URL of a WebSocket must have no fragment');
  url.protocol = scheme;
  return url.href;
}

/**
 * Whether this is the whole URL of a broker.
 * @param {string} address
 */
export function isWhole(address) {
  return /^wss?:/.test(address);
}

/**
 * `null` is a relative URL without a page to begin at.
 * @param {string | URL} given
 * @param {string | undefined} base
 */
function parse(given, base) {
  try {
    return new URL(given, base);
  } catch (error) {
    if (base === undefined && URL.canParse(given, ANY_PAGE)) return null;
    throw badRequest("the broker's URL is not one", error);
  }
}

/** Stands for the page that will be there: RFC 2606 keeps its name from being anybody's. */
const ANY_PAGE = 'https://page.invalid/';
