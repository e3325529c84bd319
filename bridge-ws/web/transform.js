// The page's own hands on what comes in and goes out, in order; it knows nothing of channels and sockets.

import { CallboardError, badRequest, report } from './error.js';

/** @import { Draft, Incoming, Message, Outgoing, Transforms } from './types.js' */

/** What an outgoing transform gives instead of a publish. */
class Answer {
  /** @param {unknown} value */
  constructor(value) {
    this.value = value;
  }
}

/** @param {unknown} value */
const answer = (value) => new Answer(value);

/** The transforms of a connection. */
export class Pipeline {
  /** @type {Incoming[]} */
  #incoming = [];
  /** @type {Outgoing[]} */
  #outgoing = [];

  /**
   * Adds transforms behind those that are there. The answer takes them out again.
   * @param {Transforms} transforms
   */
  use({ incoming = [], outgoing = [] }) {
    const added = { incoming: list(incoming, 'incoming'), outgoing: list(outgoing, 'outgoing') };
    this.#incoming = [...this.#incoming, ...added.incoming];
    this.#outgoing = [...this.#outgoing, ...added.outgoing];
    return () => {
      this.#incoming = without(this.#incoming, added.incoming);
      this.#outgoing = without(this.#outgoing, added.outgoing);
      added.incoming = added.outgoing = [];
    };
  }

  /**
   * The message that listeners get, or `null` for none. A transform that throws drops the message and is reported.
   * @param {Message} message
   * @returns {Message | null}
   */
  receive(message) {
    let current = message;
    try {
      for (const transform of this.#incoming) {
        const next = settled(transform(current));
        if (next === null) return null;
        current = /** @type {Message} */ (next ?? current);
      }
      return current;
    } catch (error) {
      report(error);
      return null;
    }
  }

  /**
   * What becomes of a publish. A transform that throws fails the publish.
   * @param {Draft} draft
   * @returns {{ draft: Draft } | { answer: unknown } | null} `null` if it was dropped.
   */
  send(draft) {
    let current = draft;
    for (const transform of this.#outgoing) {
      const next = settled(transform(current, answer));
      if (next === null) return null;
      if (next instanceof Answer) return { answer: next.value };
      current = /** @type {Draft} */ (next ?? current);
    }
    return { draft: current };
  }
}

/**
 * @template T
 * @param {T | T[]} given
 * @param {string} name
 */
function list(given, name) {
  const functions = Array.isArray(given) ? given : [given];
  if (functions.some((one) => typeof one !== 'function')) throw badRequest(`\`${name}\` transforms must be functions`);
  return functions;
}

/**
 * @template T
 * @param {T[]} all
 * @param {T[]} gone
 */
function without(all, gone) {
  const rest = [...all];
  for (const one of gone) rest.splice(rest.lastIndexOf(one), 1);
  return rest;
}

/** @param {any} result */
function settled(result) {
  if (typeof result?.then !== 'function') return result;
  throw new CallboardError(500, 'async-transform', 'a transform must not be async');
}
