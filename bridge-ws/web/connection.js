// What the whole page shares of one broker: its channels, its publishes and who watches. It never opens a socket
// itself.

import { Backoff } from './backoff.js';
import { Return, adviceOf } from './close.js';
import { SOCKET_BYTES, SOCKET_LOOK_MS } from './defaults.js';
import { CredentialSource } from './credential.js';
import { Driver } from './driver.js';
import { CallboardError, closed } from './error.js';
import { Observers } from './observers.js';
import { dataOf } from './payload.js';
import { Publishes } from './publish.js';
import { Violation } from './recovery.js';
import { Table } from './table.js';
import { Timer } from './timer.js';
import { Pipeline } from './transform.js';

/** @import { Member } from './channel.js' */
/** @import { ResolvedOptions } from './options.js' */
/** @import { Session } from './session.js' */
/** @import { Draft, Failed, Gap, Listener, Ok, Position, ServerFrame, State, SubscribeOptions,
 *    Transforms } from './types.js' */

/** A way to one broker. Its clients may come from several copies of this package: its members are never renamed. */
export class Connection {
  #clock;
  #closeTimeoutMs;
  #table;
  #publishes;
  #pipeline = new Pipeline();
  #driver;
  /** The options of whoever brought what it shows; `null` once they have gone. @type {object | null} */
  #shown;
  /** The open session. @type {Session | null} */
  #session = null;
  #users = 0;
  #holds = 0;
  /** Whether it takes nothing more. */
  #isClosing = false;
  /** Ends it, once nothing that it has to wait for is left. @type {() => void} */
  #finish = () => {};
  #look;

  /** @type {Observers<State>} */
  states = new Observers();
  /** @type {Observers<Gap>} */
  gaps = new Observers();
  /** @type {Observers<CallboardError>} */
  errors = new Observers();

  /**
   * @param {string} url
   * @param {ResolvedOptions} options
   */
  constructor(url, options) {
    const { clock, backoffBaseMs, backoffCapMs, incoming, outgoing } = options;
    this.#shown = options;
    this.#clock = clock;
    this.#closeTimeoutMs = options.closeTimeoutMs;
    this.#pipeline.use({ incoming, outgoing });
    this.#publishes = new Publishes(options);
    this.#table = new Table({
      clock,
      graceMs: options.unsubscribeGraceMs,
      retries: new Backoff(backoffBaseMs, backoffCapMs),
      receive: (message) => this.#pipeline.receive(message),
      onGap: (gap) => this.gaps.tell(gap),
      onError: (error) => this.#tellError(error),
      onChange: () => this.#settle(),
    });
    this.#look = new Timer(clock, () => this.#settle());
    this.#driver = new Driver(url, options, {
      isNeeded: () => this.#holds > 0 || !this.#table.isEmpty || !this.#publishes.isEmpty,
      opened: (session, { payload_bytes_max }) => this.#opened(session, payload_bytes_max),
      frame: (frame) => this.#take(frame),
      lost: () => this.#lost(),
      unable: (error) => this.#unable(error),
      shut: (error) => this.#shut(error),
      told: (state) => this.#told(state),
    });
  }

  get state() {
    return this.#driver.state;
  }

  get identity() {
    return this.#driver.identity;
  }

  /**
   * Whether it does for a call that brings this. One that brings nothing takes what there is, and no `getToken` takes
   * the place of a fixed credential.
   * @param {Pick<ResolvedOptions, 'getToken' | 'credential'>} given
   */
  shows({ getToken, credential }) {
    const { credentials } = this.#driver;
    if (getToken !== undefined) return credentials.isRenewable || credentials.isNobody;
    return credential === null || credentials.is(credential);
  }

  /**
   * Whether the next `getToken` holds from then on: whoever brought the one that there is has gone, or nobody has
   * brought any, or no session will follow without.
   */
  get wantsToken() {
    const { credentials, state } = this.#driver;
    if (state.name === 'closed') return true;
    return credentials.isRenewable ? this.#shown === null : credentials.isNobody;
  }

  /** Whether the broker closed it for what it showed: another credential takes that one's place. */
  get wantsCredential() {
    const { state } = this.#driver;
    return state.name === 'closed' && adviceOf(state.reason?.code ?? 0) === Return.WithNewCredential;
  }

  /** Whether its last user has gone, so that who comes now needs another one. */
  get isOver() {
    return this.#isClosing;
  }

  /** Somebody uses it. */
  retain() {
    this.#users += 1;
  }

  /**
   * Somebody uses it no more; the last one closes it. Resolves when what had to be waited for is over.
   * @param {object} given The options that they came with.
   */
  async release(given) {
    this.#users -= 1;
    if (this.#shown === given) this.#shown = null;
    if (this.#users === 0) await this.#close();
  }

  /**
   * Has another session opened in place of the one that there is, or that the broker has closed for good.
   * @param {Pick<ResolvedOptions, 'getToken' | 'credential'>} [given] What it shows from now on.
   */
  renew(given) {
    if (given) this.#shown = given;
    this.#driver.renew(given && new CredentialSource(given));
  }

  /** Keeps a session open though nothing needs one yet, until the answer is called. */
  hold() {
    this.#holds += 1;
    this.#settle();
    return () => {
      this.#holds -= 1;
      this.#settle();
    };
  }

  /**
   * @param {string} channel
   * @param {Listener} listener
   * @param {SubscribeOptions} options
   */
  subscribe(channel, listener, options) {
    const member = this.#table.join(channel, listener, options);
    const { name, reason } = this.state;
    // It waits with the others until somebody asks for another session; who awaits the answer need not.
    if (name === 'closed') member.unready(closed(reason));
    this.#settle();
    return member;
  }

  /** @param {Member} member */
  unsubscribe(member) {
    this.#table.leave(member);
  }

  /** @param {Draft} draft */
  publish(draft) {
    this.#check();
    const outcome = this.#pipeline.send(draft);
    if (outcome === null || 'answer' in outcome) return;
    this.#table.ask();
    this.#publishes.push(outcome.draft);
    this.#settle();
  }

  /**
   * @param {Draft} draft
   * @returns {Promise<Position | any>}
   */
  async publishAcked(draft) {
    this.#check();
    const outcome = this.#pipeline.send(draft);
    if (outcome === null) throw new CallboardError(0, 'dropped', 'a transform dropped the publish');
    if ('answer' in outcome) return outcome.answer;
    this.#table.ask();
    const position = this.#publishes.pushAcked(outcome.draft);
    this.#settle();
    return position;
  }

  /** @param {Transforms} transforms */
  use(transforms) {
    return this.#pipeline.use(transforms);
  }

  #check() {
    const { name, reason } = this.state;
    if (name === 'closed') throw closed(reason);
  }

  /** Takes nothing more, lets what is on its way be answered, and says goodbye. */
  #close() {
    this.#isClosing = true;
    if (this.state.name === 'closed') return this.#driver.stop(closed(null));
    return new Promise((/** @type {(value: void) => void} */ resolve) => {
      const timer = new Timer(this.#clock, () => this.#driver.stop(closed(null)));
      timer.start(this.#closeTimeoutMs);
      this.#finish = () => {
        timer.stop();
        resolve();
      };
      this.#settle();
    });
  }

  /** Looks at what is to be done after a change. */
  #settle() {
    this.#pump();
    if (this.#isClosing && this.#publishes.isEmpty) return this.#driver.stop(closed(null));
    this.#driver.look();
  }

  /** Sends the publishes that wait, as long as the socket takes them. */
  #pump() {
    const session = this.#session;
    if (session === null || session.isClosing) return;
    while (session.waitingBytes < SOCKET_BYTES) {
      const frame = this.#publishes.next(() => session.nextRequest());
      if (frame === null) return;
      session.send(frame);
    }
    this.#look.startOnce(SOCKET_LOOK_MS);
  }

  /**
   * @param {Session} session
   * @param {number} payloadBytesMax
   */
  #opened(session, payloadBytesMax) {
    this.#session = session;
    this.#publishes.open(payloadBytesMax);
    // Who subscribes a channel and then publishes to it hears that: questions go before publishes.
    this.#table.connected((make) => session.ask(make));
    this.#settle();
  }

  #lost() {
    this.#session = null;
    this.#look.stop();
    this.#publishes.pause();
    this.#table.disconnected();
  }

  /** @param {CallboardError} error Why there can be no session here. */
  #unable(error) {
    const isHeard = this.#table.end(error);
    const isWaitedFor = this.#publishes.clear(error);
    if (!isHeard || !isWaitedFor) this.#tellError(error);
    if (this.#isClosing) this.#settle();
  }

  /** @param {CallboardError} error */
  #shut(error) {
    const why = closed(error);
    this.#publishes.clear(why);
    // Somebody may ask for another session: until then who listens waits.
    if (!this.#isClosing) return this.#table.unready(why);
    this.#driver.stop(why);
    this.#table.end(why);
    return this.#finish();
  }

  /** @param {State} state */
  #told(state) {
    this.states.tell(state);
    if (state.name === 'closed' && !this.#isClosing) this.#tellError(closed(state.reason));
  }

  /** @param {ServerFrame} frame */
  #take(frame) {
    switch (frame.kind) {
      case 'Message': return this.#table.deliver(frame);
      case 'Skipped': return this.#table.skip(frame);
      case 'Reset': return this.#table.reset(frame);
      case 'Event': return this.#table.pass(frame);
      case 'Named': return this.#table.name(frame);
      case 'Membership': return this.#table.member(frame);
      case 'Ok': return this.#answered(frame);
      case 'Failed': return this.#failed(frame);
      // A call is for a provider, which no page is yet; the rest is the session's own affair.
      default: return undefined;
    }
  }

  /** @param {Ok} frame */
  #answered({ request, answer }) {
    if (this.#table.handleOk(request, answer)) return;
    if (answer.kind !== 'Published' || !this.#publishes.answer(request, answer.position)) {
      throw new Violation(`request ${request} was answered with what it did not ask for, or twice`);
    }
    this.#settle();
  }

  /** @param {Failed} frame */
  #failed({ request, code, class: name, sentence, data }) {
    const error = new CallboardError(code, name, sentence, { data: dataOf(data) });
    // "A `Publish` with request 0 has no answer when it goes well" (PROTOCOL.md, "Session").
    if (request === 0) return this.#tellError(error);
    if (this.#table.handleFailed(request, error)) return;
    if (!this.#publishes.answer(request, error)) throw new Violation(`request ${request} was answered twice`);
    this.#settle();
  }

  /** @param {CallboardError} error What nobody in particular waits for. */
  #tellError(error) {
    if (this.errors.size > 0) this.errors.tell(error);
    else console.warn(`callboard: ${error.sentence} (${error.code} ${error.class})`);
  }
}
