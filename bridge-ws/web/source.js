// Where components have their client from: made when one is first needed, shared by all of them. It knows no framework.

import { NUMBERS } from './defaults.js';
import { Observers } from './observers.js';
import { ownClock } from './options.js';
import { IDLE } from './state.js';

/** @import { Client } from './client.js' */
/** @import { Clock, Identity, State } from './types.js' */

/** A client that need not exist yet. */
export class ClientSource {
  #make;
  #clock;
  #isGiven = false;
  /** @type {Client | null} */
  #client = null;
  /** @type {Identity | null | undefined} */
  #identity;
  /** @type {Observers<void>} */
  #watchers = new Observers();

  /**
   * @param {() => Client} make
   * @param {Clock} [clock]
   */
  constructor(make, clock = ownClock) {
    this.#make = make;
    this.#clock = clock;
  }

  /**
   * Of a client that is somebody else's, who closes it.
   * @param {Client} client
   */
  static of(client) {
    let source = GIVEN.get(client);
    if (source === undefined) {
      source = new ClientSource(() => client);
      source.#isGiven = true;
      GIVEN.set(client, source);
      try {
        source.#take(client);
      } catch (error) {
        // This happens while components render. What they need of a closed client is refused in their effects.
        if (/** @type {any} */ (error).class !== 'closed') throw error;
      }
    }
    return source;
  }

  /** The client. One whose connection is closed for good waits like its components, until the page asks for another. */
  get client() {
    return this.#client ?? this.#take(this.#make());
  }

  /** @returns {State} */
  get state() {
    return this.#client?.state ?? IDLE;
  }

  /** The same object as long as it says the same. */
  get identity() {
    const identity = this.#client?.identity;
    if (!isSame(identity, this.#identity)) this.#identity = identity;
    return this.#identity;
  }

  /**
   * Calls a listener after each change of state or identity, until the answer is called.
   * @param {() => void} listener
   * @returns {() => void}
   */
  watch = (listener) => this.#watchers.add(listener);

  /**
   * Keeps a session open until the answer is called, and a little longer: a component may come back at once.
   * @returns {() => void}
   */
  hold() {
    const letGo = this.client.hold();
    return () => this.#clock.setTimeout(letGo, NUMBERS.unsubscribeGraceMs.default);
  }

  /**
   * Somebody has made this for others, who use it until the answer is called. Then its client is closed at once, so
   * that whoever comes in their place, perhaps for another user, is in no session of theirs. It may be used anew.
   * @returns {() => void}
   */
  retain() {
    return () => {
      if (this.#client === null || this.#isGiven) return;
      this.#client.close();
      this.#client = null;
      this.#watchers.tell();
    };
  }

  /** @param {Client} client */
  #take(client) {
    this.#client = client;
    client.onState(() => this.#watchers.tell());
    this.#watchers.tell();
    return client;
  }
}

/** @type {WeakMap<Client, ClientSource>} */
const GIVEN = new WeakMap();

/**
 * @param {Identity | null | undefined} one
 * @param {Identity | null | undefined} other
 */
function isSame(one, other) {
  if (!one || !other) return one === other;
  return one.strategy === other.strategy && one.key === other.key;
}
