// Reads something again and again, seldom while a channel tells of each change. It knows nothing of what is read.

import { POLL_SLOWER, POLL_TIMEOUT_MS, TIMER_MS_MAX } from './defaults.js';
import { CallboardError, badRequest, call, report } from './error.js';
import { ownClock } from './options.js';
import { Pace } from './pace.js';
import { ownPage } from './page.js';
import { Timer } from './timer.js';

/** @import { Client } from './client.js' */
/** @import { PollOptions, PollState, Run } from './types.js' */

/**
 * Runs something at once, whenever a message comes on a channel, and now and again: every `intervalMs` after the last
 * run has ended, well or not; ten times more seldom while the bus proves that nothing was missed; never while the page
 * is hidden, and then at once when it is shown, if it is due. Two runs never overlap: what comes during one causes one
 * more behind it. Only one that is given up after `timeoutMs` and does not heed its signal goes on beside the next one.
 *
 * The bus proves it while the channel is subscribed, the last run went well and began when it was, and no gap was told
 * since. What a run throws is reported to the page, and the interval begins anew.
 *
 * Throws a {@link CallboardError} where that cannot be, as with `bad-channel-name`. What the broker refuses later,
 * `onEnd` hears; it goes on at the interval then.
 * @param {Client | null} client Without a client or a channel nothing is subscribed.
 * @param {string | null} channel
 * @param {number} intervalMs
 * @param {Run} run
 * @param {PollOptions} [options]
 * @returns {Poll} To be stopped.
 */
export function poll(client, channel, intervalMs, run, options = {}) {
  const poll = new Poll(run, options);
  poll.start(client, channel, intervalMs);
  return poll;
}

/** Something that is polled while it is started. */
export class Poll {
  #run;
  #options;
  #clock;
  #page;
  #timer;
  #deadline;
  /** Of this start; `null` while it is stopped. @type {Pace | null} */
  #pace = null;
  /** The run on its way, perhaps of a start before this one. @type {{ pace: Pace, abort: AbortController } | null} */
  #running = null;
  /** Ends what this start began. @type {() => void} */
  #leave = () => {};
  #state = STOPPED;

  /**
   * @param {Run} run
   * @param {PollOptions} [options]
   */
  constructor(run, options = {}) {
    const { timeoutMs = POLL_TIMEOUT_MS, slowMs, clock = ownClock, page = ownPage() } = options;
    if (typeof run !== 'function') throw badRequest('a poll needs a function to run');
    check('timeoutMs', timeoutMs);
    if (slowMs !== undefined) check('slowMs', slowMs);
    this.#run = run;
    this.#options = options;
    this.#clock = clock;
    this.#page = page;
    this.#timer = new Timer(clock, () => this.#look());
    this.#deadline = new Timer(clock, () => this.#late(timeoutMs));
  }

  /** What it does, and when it runs next. @returns {PollState} */
  get state() {
    return this.#state;
  }

  /**
   * Begins, or begins anew: the first run waits for one that is still on its way.
   * @param {Client | null} client
   * @param {string | null} channel
   * @param {number} intervalMs
   */
  start(client, channel, intervalMs) {
    this.stop();
    check('intervalMs', intervalMs);
    const { slowMs = Math.min(intervalMs * POLL_SLOWER, TIMER_MS_MAX) } = this.#options;
    const pace = new Pace(intervalMs, slowMs);
    const unsubscribe = this.#subscribe(pace, client, channel);
    const unwatch = this.#watch(pace);
    this.#leave = () => {
      unsubscribe();
      unwatch();
    };
    this.#pace = pace;
    // A channel that this page is subscribed to already says so in this turn: the first run shall know.
    queueMicrotask(() => this.#look());
  }

  /** Runs at once, or behind the run that is on its way. */
  now() {
    this.#pace?.want();
    this.#look();
  }

  /** Ends it, and aborts the run that is on its way. It may be started again. */
  stop() {
    this.#leave();
    this.#leave = () => {};
    this.#pace = null;
    this.#running?.abort.abort();
    this.#look();
  }

  /**
   * @param {Pace} pace
   * @param {Client | null} client
   * @param {string | null} channel
   */
  #subscribe(pace, client, channel) {
    if (client === null || channel === null) return () => {};
    const want = () => {
      pace.want();
      this.#look();
    };
    const onLive = (/** @type {boolean} */ isLive) => {
      if (isLive) pace.live();
      else pace.lost(this.#clock.now(), this.#clock.random());
      this.#look();
    };
    return client.subscribe(channel, want, { onGap: want, onLive, onEnd: this.#options.onEnd });
  }

  /** @param {Pace} pace */
  #watch(pace) {
    const { document } = this.#page;
    const look = () => {
      pace.hide(document?.visibilityState === 'hidden');
      this.#look();
    };
    look();
    document?.addEventListener('visibilitychange', look);
    return () => document?.removeEventListener('visibilitychange', look);
  }

  /** Looks at what is to be done after a change. */
  #look() {
    const pace = this.#pace;
    const left = this.#running === null && pace !== null ? pace.left(this.#clock.now()) : null;
    if (left === null) this.#timer.stop();
    else if (left > 0) this.#timer.start(left);
    else if (pace !== null) return this.#begin(pace);
    return this.#tell(pace, left);
  }

  /** @param {Pace} pace */
  #begin(pace) {
    const running = { pace, abort: new AbortController() };
    this.#timer.stop();
    this.#running = running;
    this.#deadline.start(this.#options.timeoutMs ?? POLL_TIMEOUT_MS);
    pace.begin();
    this.#tell(pace, null);
    this.#await(running);
  }

  /** @param {{ pace: Pace, abort: AbortController }} running */
  async #await(running) {
    const { signal } = running.abort;
    try {
      await this.#run({ signal });
      this.#end(running, true);
    } catch (error) {
      // Who was aborted says so, and that is no fault.
      if (!signal.aborted) report(error);
      this.#end(running, false);
    }
  }

  /**
   * @param {{ pace: Pace, abort: AbortController }} running
   * @param {boolean} isWell
   */
  #end(running, isWell) {
    // It was given up before.
    if (this.#running !== running) return;
    this.#running = null;
    this.#deadline.stop();
    running.pace.end(this.#clock.now(), isWell);
    this.#look();
  }

  /**
   * A run that does not end would be the last one.
   * @param {number} timeoutMs
   */
  #late(timeoutMs) {
    const running = this.#running;
    if (running === null) return;
    if (!running.abort.signal.aborted) {
      report(new CallboardError(0, 'poll-timeout', `a run of a poll took more than ${timeoutMs} ms and was aborted`));
    }
    running.abort.abort();
    this.#end(running, false);
  }

  /**
   * @param {Pace | null} pace
   * @param {number | null} left
   */
  #tell(pace, left) {
    const name = this.#running !== null ? 'running' : pace === null ? 'stopped' : left === null ? 'hidden' : 'waiting';
    const isSlow = pace?.isSlow ?? false;
    const dueAt = left === null ? null : this.#clock.now() + left;
    const { state } = this;
    if (name === state.name && isSlow === state.isSlow && dueAt === state.dueAt) return;
    this.#state = Object.freeze({ name, isSlow, dueAt });
    call(this.#options.onState, this.#state);
  }
}

/**
 * @param {string} name
 * @param {unknown} ms
 */
function check(name, ms) {
  // What is longer than a browser's timer can wait would be waited for not at all.
  if (typeof ms === 'number' && ms > 0 && ms <= TIMER_MS_MAX) return;
  throw badRequest(`\`${name}\` must be a number of milliseconds above 0, up to ${TIMER_MS_MAX}`);
}

/** @type {PollState} */
const STOPPED = Object.freeze({ name: 'stopped', isSlow: false, dueAt: null });
