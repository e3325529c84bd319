// What the browser tells of the page: network, visibility, the back-forward cache. It decides nothing.

/** @import { Page } from './types.js' */

/**
 * @typedef {object} Watcher
 * @property {() => void} reachable The network is back.
 * @property {() => void} shown The page became visible.
 * @property {(isKept: boolean) => void} hidden The page goes away, and whether into the back-forward cache.
 * @property {() => void} restored The page came back out of it.
 */

/**
 * The page that this code runs in; a worker or Node has less of one, or none.
 * @returns {Page}
 */
export function ownPage() {
  const { window, document } = /** @type {any} */ ({ window: globalThis, document: globalThis.document });
  return { window: typeof window.addEventListener === 'function' ? window : undefined, document };
}

/**
 * Watches a page until the answer is called.
 * @param {Page} page
 * @param {Watcher} watcher
 * @returns {() => void}
 */
export function watch({ window, document }, watcher) {
  const visible = () => {
    if (document?.visibilityState === 'visible') watcher.shown();
  };
  /** @param {Event} event */
  const hidden = (event) => watcher.hidden(/** @type {PageTransitionEvent} */ (event).persisted === true);
  /** @type {[target: EventTarget | undefined, name: string, listener: (event: Event) => void][]} */
  const listeners = [
    [/** @type {any} */ (window), 'online', watcher.reachable],
    // A page that is open on a WebSocket is not kept by every browser: it is closed whether the page is kept or not.
    [/** @type {any} */ (window), 'pagehide', hidden],
    [/** @type {any} */ (window), 'pageshow', watcher.restored],
    [/** @type {any} */ (document), 'visibilitychange', visible],
  ];
  for (const [target, name, listener] of listeners) target?.addEventListener(name, listener);
  return () => {
    for (const [target, name, listener] of listeners) target?.removeEventListener(name, listener);
  };
}
