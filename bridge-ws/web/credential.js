// Who the page says it is: what each session shows, asked anew for each, and what the broker said of the last one.

import { CallboardError } from './error.js';
import { toCredential } from './options.js';

/** @import { ResolvedOptions } from './options.js' */
/** @import { Credential } from './types.js' */

export class CredentialSource {
  #getToken;
  #credential;
  /** The broker's word about the last credential, if it refused that one. @type {CallboardError | null} */
  refused = null;

  /** @param {Pick<ResolvedOptions, 'getToken' | 'credential'>} given */
  constructor({ getToken, credential }) {
    this.#getToken = getToken;
    this.#credential = credential;
  }

  /** Whether the next session may show another one. */
  get isRenewable() {
    return this.#getToken !== undefined;
  }

  /** Whether no session shows anything. */
  get isNobody() {
    return this.#getToken === undefined && this.#credential === null;
  }

  /**
   * Whether each session shows just this.
   * @param {Credential} credential
   */
  is({ strategy, secret }) {
    return this.#credential?.strategy === strategy && this.#credential.secret === secret;
  }

  /**
   * What the next session shows. Rejects with a {@link CallboardError} if that is not to be had.
   * @param {AbortSignal} signal Aborted when nobody waits for it any more.
   * @returns {Promise<Credential | null>}
   */
  async ask(signal) {
    if (this.#getToken === undefined) return this.#credential;
    try {
      return toToken(await this.#getToken({ refused: this.refused, signal }));
    } catch (error) {
      throw noToken(error);
    }
  }
}

/**
 * Nothing is not nobody: a forgotten `return` would make the page anonymous without a word.
 * @param {unknown} given
 */
function toToken(given) {
  if (given === undefined) {
    throw new CallboardError(0, 'no-token', '`getToken` returned undefined; return null to stay anonymous');
  }
  return toCredential(given);
}

/**
 * Why `getToken` gave nothing to show. The secret is in no sentence.
 * @param {unknown} cause
 */
function noToken(cause) {
  if (cause instanceof CallboardError) return cause;
  return new CallboardError(0, 'no-token', '`getToken` provided no credential', { cause });
}

/**
 * Why an attempt ends before `getToken` has given anything.
 * @param {number} ms
 */
export function lateToken(ms) {
  return new CallboardError(0, 'no-token', `\`getToken\` provided no credential within ${ms} ms`);
}
