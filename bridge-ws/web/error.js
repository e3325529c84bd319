// What can go wrong, in one shape; it never decides what follows from it.

/**
 * Everything that this package throws, rejects with or reports. Programs match `class`; people read `sentence`.
 *
 * `code` is a number of PROTOCOL.md, "Failures" (400–599) or "Close codes" (4000–4499), and 0 where no registry has
 * one.
 */
export class CallboardError extends Error {
  /**
   * @param {number} code
   * @param {string} className
   * @param {string} sentence
   * @param {{ data?: unknown, cause?: unknown }} [more]
   */
  constructor(code, className, sentence, more = {}) {
    super(sentence, 'cause' in more ? { cause: more.cause } : undefined);
    this.name = 'CallboardError';
    /** The number that groups classes. */
    this.code = code;
    /** What programs match, in kebab case. */
    this.class = className;
    /** What a program may read beside the class: the broker's data, parsed. */
    this.data = more.data;
  }

  /** What is wrong and what to do next, for people. */
  get sentence() {
    return this.message;
  }
}

/**
 * The caller gave something that cannot be sent.
 * @param {string} sentence
 * @param {unknown} [cause]
 */
export function badRequest(sentence, cause) {
  return new CallboardError(400, 'bad-request', sentence, cause === undefined ? {} : { cause });
}

/**
 * The connection is closed for good.
 * @param {CallboardError | null} why What closed it; `null` is that this page did.
 */
export function closed(why) {
  if (why === null || why.class === 'closed') {
    return why ?? new CallboardError(4000, 'closed', 'this page closed the connection');
  }
  return new CallboardError(why.code, 'closed', `the connection is closed: ${why.sentence}`, { cause: why });
}

/**
 * Whether the same request may go well later without anybody's doing.
 * @param {CallboardError} error
 */
export function isTransient(error) {
  if (TRANSIENT.has(error.class)) return true;
  // "a class that a client does not know is read by its code" (PROTOCOL.md, "Failures").
  return !KNOWN.has(error.class) && error.code >= 500;
}

/**
 * Tells the page's developers of a fault that is nobody's to catch. It never throws.
 * @param {unknown} error
 */
export function report(error) {
  try {
    const { reportError } = globalThis;
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
  } catch {
    // A page whose error handler throws must not stop what comes next.
  }
}

/**
 * Calls what the page gave us. What it throws hurts nobody else.
 * @template {unknown[]} A
 * @param {((...args: A) => unknown) | null | undefined} listener
 * @param {A} args
 */
export function call(listener, ...args) {
  try {
    // An async listener's failure is reported by the platform as an unhandled rejection.
    listener?.(...args);
  } catch (error) {
    report(error);
  }
}

const TRANSIENT = new Set(['too-many-requests', 'general-error', 'unavailable']);
const KNOWN = new Set([
  ...TRANSIENT, 'bad-request', 'bad-channel-name', 'not-authenticated', 'forbidden', 'reserved-channel', 'not-found',
  'not-subscribed', 'method-not-allowed', 'already-subscribed', 'payload-too-large', 'too-many-subscriptions',
  'not-implemented',
]);
