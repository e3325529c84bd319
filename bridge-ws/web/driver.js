// The one way to a session: it opens one while something needs it, and decides when to come back. It knows nothing of
// what is said there.

import { afterResumed, comesBack } from './backoff.js';
import { CloseCode, Return } from './close.js';
import { CredentialSource, lateToken } from './credential.js';
import { GIVE_UP_PAUSE_MS, RETRY_AFTER_CAP_MS, SUSPENDED_SILENCE_MS } from './defaults.js';
import { Dialer } from './dial.js';
import { CallboardError } from './error.js';
import { Liveness } from './liveness.js';
import { watch } from './page.js';
import { Pauses } from './pauses.js';
import { later } from './session.js';
import { IDLE, stateOf } from './state.js';
import { Timer } from './timer.js';

/** @import { ResolvedOptions } from './options.js' */
/** @import { End, Session } from './session.js' */
/** @import { Credential, Hello, Identity, ServerFrame, State, Suspended, Welcome } from './types.js' */

/**
 * @typedef {object} SessionHandlers What the sessions report to.
 * @property {() => boolean} isNeeded Whether something needs a session.
 * @property {(session: Session, welcome: Welcome) => void} opened A session is open.
 * @property {(frame: ServerFrame) => void} frame What came in it.
 * @property {() => void} lost It is over; another one may follow.
 * @property {(error: CallboardError) => void} unable What needs one is given up: none can be opened here.
 * @property {(error: CallboardError) => void} shut No other one will follow. The page is told behind it, by `told`.
 * @property {(state: State) => void} told The state has changed.
 */

/** @typedef {{ hasToken: boolean, asking: AbortController }} Attempt */

export class Driver {
  #options;
  #handlers;
  #clock;
  #dialer;
  #credentials;
  #pauses;
  #liveness;
  #unwatch;
  /** @type {State} */
  #state = IDLE;
  /** @type {Identity | null | undefined} */
  #identity;
  /**
   * The attempt on its way and the session that came of it, to tell them from those before.
   * @type {Attempt | null}
   */
  #attempt = null;
  /** @type {Session | null} */
  #session = null;
  /** @type {number | null} */
  #openedAt = null;
  /** How often the broker promised a sign of life on this socket, if it did. @type {number | null} */
  #promised = null;
  /** How the last session or attempt ended, if that may be why there is none. @type {CallboardError | null} */
  #why = null;
  #gaveUpAt = 0;
  #isHidden = false;
  #retry;
  #deadline;
  #linger;
  #giveUp;

  /**
   * @param {string} url
   * @param {ResolvedOptions} options
   * @param {SessionHandlers} handlers
   */
  constructor(url, options, handlers) {
    const { clock, page } = options;
    this.#options = options;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#dialer = new Dialer(url, options);
    this.#credentials = new CredentialSource(options);
    this.#pauses = new Pauses(options);
    this.#liveness = new Liveness(clock, options.heartbeatGraceMs, () => this.#silent());
    this.#retry = new Timer(clock, () => this.#begin());
    this.#deadline = new Timer(clock, () => this.#late());
    this.#linger = new Timer(clock, () => this.#rest());
    this.#giveUp = new Timer(clock, () => this.#giveUpAll());
    this.#unwatch = watch(page, {
      reachable: () => this.#wake(),
      shown: () => this.#shown(),
      hidden: (isKept) => this.#hide(isKept),
      restored: () => this.#restore(),
    });
  }

  get state() {
    return this.#state;
  }

  /** Whom the broker took this page for when it last said so; `undefined` if it never did. */
  get identity() {
    return this.#identity;
  }

  /** Whom its sessions show the page to be. */
  get credentials() {
    return this.#credentials;
  }

  /** Looks whether a session is to be opened, or an unneeded one is to rest. */
  look() {
    const { name } = this.#state;
    if (name === 'closed') return;
    if (this.#handlers.isNeeded()) {
      this.#linger.stop();
      if (name !== 'idle' || this.#isHidden) return;
      // A need that went away and came back makes no pause shorter. What ended before that is no reason any more.
      if (this.#pauses.left <= 0) this.#why = null;
      this.#begin(this.#pauses.left);
    } else if (name === 'online' || this.#session?.isSuspended) this.#linger.startOnce(this.#options.lingerMs);
    else if (name !== 'idle') this.#rest();
  }

  /**
   * Ends the session and begins another one, with what there is to show by now; the way back, too, where none was to
   * follow. What nothing needs is not opened.
   * @param {CredentialSource} [credentials] The page from now on.
   */
  renew(credentials = this.#credentials) {
    this.#credentials = credentials;
    const { name } = this.#state;
    if (name === 'closed') {
      this.#tell(IDLE);
      // Who was told may have brought about more.
      if (this.#state === IDLE && this.#handlers.isNeeded() && !this.#isHidden) this.#begin(this.#pauses.left);
    } else if (name === 'waiting') this.#wake();
    else if (name !== 'idle') {
      // Channels wait for who leaves without a goodbye.
      const error = new CallboardError(0, 'renewed', 'the page asked for another session');
      this.#session?.part(error.sentence);
      this.#pauses.renew(this.#livedMs);
      this.#follow(error);
    }
  }

  /**
   * Says goodbye; no session follows.
   * @param {CallboardError} error
   */
  stop(error) {
    this.#unwatch();
    if (this.#state.name === 'closed') return;
    this.#session?.close(CloseCode.Finished, error.sentence);
    this.#leave();
    this.#shut(error);
  }

  /**
   * Begins an attempt, on the socket that there is if a bridge kept it; there is never more than one.
   * @param {number} early How many milliseconds are to pass before: whatever happens, what the broker asked for.
   */
  #begin(early = this.#pauses.leastLeft) {
    // Who needs a session now has not yet heard of anything: it is told behind this turn, never by an exception.
    if (this.#session === null && this.#dialer.obstacle !== null) {
      return this.#giveUp.startOnce(this.#giveUpPause());
    }
    if (early > 0) return this.#wait(early);
    this.#retry.stop();
    const attempt = { hasToken: false, asking: new AbortController() };
    this.#attempt = attempt;
    this.#deadline.start(this.#options.attemptTimeoutMs);
    this.#tell(stateOf('connecting', { reason: this.#why }));
    if (this.#attempt !== attempt) return;
    this.#credentials.ask(attempt.asking.signal).then(
      (credential) => this.#attempt === attempt && this.#greet(attempt, credential),
      (error) => this.#attempt === attempt && this.#unshown(error),
    );
  }

  /**
   * @param {Attempt} attempt
   * @param {Credential | null} credential
   */
  #greet(attempt, credential) {
    attempt.hasToken = true;
    const hello = this.#dialer.hello(credential);
    if (this.#session === null) this.#dial(hello);
    else this.#session.greet(hello);
  }

  /** @param {Hello} hello */
  #dial(hello) {
    if (this.#dialer.obstacle !== null) return this.#giveUpAll();
    const session = this.#dialer.dial(hello, {
      heard: () => this.#liveness.heard(),
      welcome: (session, welcome) => this.#welcomed(session, welcome),
      frame: (frame) => this.#handlers.frame(frame),
      suspended: (suspended) => this.#suspended(suspended),
      resumed: () => this.#resumed(),
      end: (end) => this.#over(end),
    });
    if (session instanceof CallboardError) this.#over(later(session));
    else this.#session = session;
  }

  /**
   * @param {Session} session
   * @param {Welcome} welcome
   */
  #welcomed(session, welcome) {
    const { connection, agent, identity } = welcome;
    const limits = { payloadBytesMax: welcome.payload_bytes_max, subscriptionsMax: welcome.subscriptions_max };
    this.#deadline.stop();
    this.#openedAt = this.#clock.now();
    this.#credentials.refused = null;
    this.#identity = identity;
    this.#promised = welcome.ping_interval;
    this.#liveness.begin(welcome.ping_interval);
    this.#pauses.end();
    const state = stateOf('online', { session: Object.freeze({ connection, agent, identity, ...limits }) });
    this.#state = state;
    this.#handlers.opened(session, welcome);
    // The last publish of a page that closes may have been all that was needed.
    if (this.#state === state) this.#handlers.told(state);
  }

  /**
   * The broker behind this bridge is away. No other socket would find it, so this one waits until the bridge does.
   * @param {Suspended} suspended
   */
  #suspended({ sentence, retry_after: retryAfter }) {
    if (this.#attempt !== null) this.#pauses.begin({ advice: Return.AtOnce, retryAfter: null, livedMs: this.#livedMs });
    this.#why = new CallboardError(0, 'away', sentence || 'the broker behind this bridge is away');
    this.#retry.stop();
    this.#liveness.begin(this.#promised ?? SUSPENDED_SILENCE_MS);
    this.#endSession();
    const retryAt = retryAfter === null ? null : this.#clock.now() + Math.min(retryAfter, RETRY_AFTER_CAP_MS);
    this.#tell(stateOf('waiting', { reason: this.#why, retryAt }));
  }

  /** It is back. One that comes and goes is not asked in a tight loop: the pause grows as far as the bridge allows. */
  #resumed() {
    // Until Welcome the attempt's own deadline holds.
    this.#liveness.end();
    if (!this.#handlers.isNeeded()) return this.#rest();
    const early = afterResumed(this.#pauses.left, this.#clock.random());
    if (early > 0) this.#wait(early);
    else this.#begin();
  }

  /** @param {End} end The session, or the attempt at one, is over. */
  #over({ error, advice, retryAfter }) {
    const isLast = !comesBack(advice, this.#credentials.isRenewable);
    this.#pauses.begin({ advice, retryAfter, livedMs: this.#livedMs, isLast });
    if (advice === Return.WithNewCredential) this.#credentials.refused = error;
    if (!isLast) return this.#follow(error);
    this.#leave();
    this.#why = error;
    return this.#shut(error);
  }

  /** @param {CallboardError} error How it ended; another one follows after the pause, if something needs one. */
  #follow(error) {
    this.#leave();
    this.#why = error;
    if (this.#handlers.isNeeded()) this.#wait(this.#pauses.left);
    else this.#tell(IDLE);
  }

  /** How long the session is open; 0 during an attempt. */
  get #livedMs() {
    return this.#openedAt === null ? 0 : this.#clock.now() - this.#openedAt;
  }

  /** @param {CallboardError} error There is nothing to show: a socket that waits for it waits in vain. */
  #unshown(error) {
    this.#session?.close(CloseCode.Finished, error.sentence);
    this.#over(later(error));
  }

  #giveUpPause() {
    const since = this.#clock.now() - this.#gaveUpAt;
    return since >= 0 && since < GIVE_UP_PAUSE_MS ? GIVE_UP_PAUSE_MS : 0;
  }

  /** No session can be opened here, unless somebody brings what is missing: then the next need finds it. */
  #giveUpAll() {
    const error = this.#dialer.obstacle;
    if (error === null || !this.#handlers.isNeeded()) return this.look();
    this.#leave();
    this.#gaveUpAt = this.#clock.now();
    this.#handlers.unable(error);
    // Who was told may have closed it.
    if (this.#state.name !== 'closed') this.#tell(stateOf('idle', { reason: error }));
  }

  /** @param {number} ms */
  #wait(ms) {
    this.#retry.start(ms);
    this.#tell(stateOf('waiting', { reason: this.#why, retryAt: this.#clock.now() + ms }));
  }

  /** Nothing needs a session any more. */
  #rest() {
    if (this.#handlers.isNeeded()) return;
    this.#session?.close(CloseCode.Finished, 'nothing needs this session any more');
    this.#leave();
    this.#tell(IDLE);
  }

  /** The attempt takes too long. */
  #late() {
    const ms = this.#options.attemptTimeoutMs;
    const sentence = `no session within ${ms} ms`;
    const hasToken = this.#attempt?.hasToken ?? false;
    const error = hasToken ? new CallboardError(0, 'unreachable', sentence) : lateToken(ms);
    this.#session?.close(CloseCode.HandshakeTimeout, error.sentence);
    this.#over(later(error));
  }

  /** The broker said nothing for longer than it promised. */
  #silent() {
    const sentence = 'the broker was silent for too long';
    this.#session?.close(CloseCode.Idle, sentence);
    this.#over(later(new CallboardError(CloseCode.Idle, 'idle', sentence)));
  }

  /** Something speaks for a better chance than a moment ago: the next attempt begins now, unless the broker minds. */
  #wake() {
    // A bridge looks for its broker itself.
    if (this.#state.name !== 'waiting' || this.#isHidden || this.#session?.isSuspended) return;
    this.#begin(this.#pauses.wake());
  }

  #shown() {
    // What is visible lies in no cache, whether the browser said so or not.
    this.#restore();
    this.#liveness.shown();
    this.#wake();
  }

  /**
   * The page goes away, perhaps into the back-forward cache, where an open socket would keep it from coming back.
   * @param {boolean} isKept
   */
  #hide(isKept) {
    this.#isHidden = true;
    if (this.#state.name === 'idle' || this.#state.name === 'closed') return;
    const error = new CallboardError(0, 'hidden', 'the page was left; it reconnects when it is shown again');
    // Channels wait for who leaves without a goodbye, and not for who says one.
    if (isKept) this.#session?.part(error.sentence);
    else this.#session?.close(CloseCode.Finished, error.sentence);
    this.#leave();
    this.#why = error;
    this.#tell(stateOf('waiting', { reason: error }));
  }

  #restore() {
    if (!this.#isHidden) return;
    this.#isHidden = false;
    if (this.#state.name === 'waiting') this.#begin();
    else this.look();
  }

  /** Nothing of the session or the attempt is left. */
  #leave() {
    for (const timer of [this.#retry, this.#linger, this.#giveUp]) timer.stop();
    this.#liveness.end();
    this.#session = null;
    this.#promised = null;
    this.#endSession();
  }

  /** What was said is lost, whether its socket is or not. */
  #endSession() {
    this.#deadline.stop();
    if (this.#attempt?.hasToken === false) this.#attempt.asking.abort();
    this.#attempt = null;
    this.#openedAt = null;
    this.#handlers.lost();
  }

  /** @param {CallboardError} error */
  #shut(error) {
    this.#state = stateOf('closed', { reason: error });
    this.#handlers.shut(error);
    this.#handlers.told(this.#state);
  }

  /** @param {State} state */
  #tell(state) {
    this.#state = state;
    this.#handlers.told(state);
  }
}
