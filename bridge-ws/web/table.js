// The table of subscriptions: which channels are wanted, asked for and live on the wire. It knows no socket; it is
// given a way to ask while there is a session.

import { Channel } from './channel.js';
import { isTransient } from './error.js';
import { isName } from './name.js';
import { Named } from './named.js';
import { bytesOf, fromWire } from './payload.js';
import { Violation } from './recovery.js';
import { alreadySubscribed, checkSubscription } from './subscription.js';

/** @import { Backoff } from './backoff.js' */
/** @import { Member } from './channel.js' */
/** @import { CallboardError } from './error.js' */
/** @import { Missing, Track } from './recovery.js' */
/** @import { Answer, ClientFrame, Clock, Gap, Listener, Membership, Message, Named as NamedFrame, Reset, ServiceEvent,
 *    Skipped, Start, SubscribeOptions, Subscribed, WireMessage } from './types.js' */

/**
 * Sends a request and gives its number.
 * @callback Ask
 * @param {(request: number) => ClientFrame} make
 * @returns {number}
 */

/**
 * @typedef {object} TableOptions
 * @property {Clock} clock
 * @property {number} graceMs How long a channel without listeners stays subscribed.
 * @property {Backoff} retries The pauses before channels are asked for again.
 * @property {(message: Message) => Message | null} receive Sees each message before its listeners.
 * @property {(gap: Gap) => void} onGap
 * @property {(error: CallboardError) => void} onError Hears of refusals that nobody else is told.
 * @property {() => void} onChange Hears that the table may have become empty.
 */

const EXCLUDE_OWN = 1;
const RETRY_AFTER_MS_MAX = 60_000;

/** All subscriptions of a connection. */
export class Table {
  #options;
  /** @type {Map<string, Channel>} */
  #channels = new Map();
  /** The channels that may deliver in this session. @type {Map<number, Channel>} */
  #numbers = new Map();
  #named = new Named();
  /** The channels that were wanted in this turn. @type {Set<Channel>} */
  #wanted = new Set();
  /**
   * The requests of this session that wait for their answers.
   * @type {Map<number, { channel: Channel, start: Start }>}
   */
  #requests = new Map();
  /** @type {Ask | null} */
  #ask = null;
  /** The channels that were refused for a passing reason, and have not begun since. @type {Set<Channel>} */
  #refusals = new Set();
  /** @type {any} */
  #retry = null;

  /** @param {TableOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get isEmpty() {
    return this.#channels.size === 0;
  }

  /**
   * Takes a new listener. Its channel is asked for behind this turn, so that all who want it in one turn, as the
   * components that are mounted together, get what each of them wants.
   * @param {string} name
   * @param {Listener} listener
   * @param {SubscribeOptions} options
   */
  join(name, listener, options) {
    checkSubscription(name, listener, options);
    const channel = this.#channels.get(name) ?? new Channel(name, this.#options.onGap);
    if (!channel.suits(options)) {
      if (channel.members.length > 0) throw alreadySubscribed(name);
      // It has no listeners any more, and begins anew for this one.
      this.#abandon(channel);
    }
    this.#options.clock.clearTimeout(channel.grace);
    this.#channels.set(name, channel);
    const member = channel.join(listener, options);
    if (this.#wanted.size === 0) queueMicrotask(() => this.ask());
    this.#wanted.add(channel);
    return member;
  }

  /** Asks for what was wanted in this turn, before what may be heard there is said. */
  ask() {
    for (const channel of this.#wanted) this.#pursue(channel);
    this.#wanted.clear();
  }

  /**
   * Lets a listener go. Without its last one a channel is unsubscribed after a grace.
   * @param {Member} member
   */
  leave(member) {
    if (member.isGone) return;
    member.leave();
    const { channel } = member;
    channel.members = channel.members.filter((other) => other !== member);
    if (channel.members.length > 0) return;
    const { clock, graceMs, onChange } = this.#options;
    channel.grace = clock.setTimeout(() => {
      this.#abandon(channel);
      if (channel.phase === 'wanted' || channel.phase === 'refused') this.#remove(channel);
      onChange();
    }, graceMs);
  }

  /**
   * A session is open: everything is to be asked for.
   * @param {Ask} ask
   */
  connected(ask) {
    this.#ask = ask;
    for (const channel of this.#channels.values()) this.#pursue(channel);
  }

  /** The session is over. What is still wanted will be asked for in the next one. */
  disconnected() {
    this.#ask = null;
    this.#wanted.clear();
    this.#numbers.clear();
    this.#named = new Named();
    this.#requests.clear();
    this.#refusals.clear();
    this.#options.clock.clearTimeout(this.#retry);
    this.#retry = null;
    for (const channel of this.#channels.values()) {
      const isLeft = channel.isStale || channel.phase === 'leaving';
      channel.rest();
      if (isLeft && channel.members.length === 0) this.#remove(channel);
    }
  }

  /**
   * No other session will follow unless somebody asks for one.
   * @param {CallboardError} error
   */
  unready(error) {
    for (const { members } of this.#channels.values()) {
      for (const member of members) member.unready(error);
    }
  }

  /**
   * Ends every subscription. Says whether each one's listener was told.
   * @param {CallboardError} error
   */
  end(error) {
    this.disconnected();
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of channels) this.#options.clock.clearTimeout(channel.grace);
    const members = channels.flatMap((channel) => channel.members);
    return members.filter((member) => !member.end(error)).length === 0;
  }

  /**
   * Takes the answer to a request that went well. `false` if the request is none of the table's.
   * @param {number} request
   * @param {Answer} answer
   */
  handleOk(request, answer) {
    const asked = this.#requests.get(request);
    if (asked === undefined) return false;
    this.#requests.delete(request);
    const { channel, start } = asked;
    if (channel.phase === 'asking' && answer.kind === 'Subscribed') this.#subscribed(channel, start, answer);
    else if (channel.phase === 'leaving' && answer.kind === 'Done') this.#left(channel);
    else throw new Violation('the broker answered a request with what it did not ask for');
    return true;
  }

  /**
   * Takes the answer to a request that did not go well. `false` if the request is none of the table's.
   * @param {number} request
   * @param {CallboardError} error
   */
  handleFailed(request, error) {
    const asked = this.#requests.get(request);
    if (asked === undefined) return false;
    this.#requests.delete(request);
    const { channel } = asked;
    // What cannot be unsubscribed is not subscribed, and a question that nobody asks any more needs no answer.
    if (channel.phase === 'leaving' || channel.isStale) this.#left(channel);
    else if (isTransient(error)) this.#refused(channel, error);
    else {
      this.#remove(channel);
      const unheard = channel.members.filter((member) => !member.end(error));
      if (unheard.length > 0) this.#options.onError(error);
    }
    this.#options.onChange();
    return true;
  }

  /** @param {WireMessage} frame */
  deliver({ channel: number, offset, published, publisher, key, payload }) {
    const { track, channel } = this.#addressee(number);
    const position = track?.deliver(offset);
    if (channel === null || position === undefined) return;
    const about = { position, published, publisher, key };
    const message = this.#options.receive({ channel: channel.name, ...fromWire(payload), ...about });
    if (message !== null) channel.deliver(offset, message, bytesOf(payload));
  }

  /** @param {ServiceEvent} frame Takes an offset of its channel; services have no listeners here yet. */
  pass({ channel, offset }) {
    this.#addressee(channel).track?.deliver(offset);
  }

  /** @param {Skipped} frame */
  skip({ channel, through }) {
    this.#addressee(channel).track?.skip(through);
  }

  /** @param {Reset} frame */
  reset({ channel: number, position }) {
    const { track, channel } = this.#addressee(number);
    if (channel === null) track?.reset(position);
    else this.#tell(channel, channel.reset(position));
  }

  /** @param {NamedFrame} frame The broker made this session a member of a channel, and gives it a number. */
  name(frame) {
    if (!isName(frame.name)) throw new Violation('the broker gave a number to what is no name of a channel');
    const subscribed = this.#numbers.get(frame.channel);
    // A subscription's deliveries are judged by its own place.
    const isWell = subscribed === undefined ? this.#named.insert(frame) : subscribed.name === frame.name;
    if (!isWell) throw oneNumber();
  }

  /** @param {Membership} frame A subscription of the same channel is one of its own. */
  member({ name, member }) {
    if (!member) this.#named.remove(name);
  }

  /**
   * Whom a delivery is for: the listeners of a channel, a membership that nobody listens to, or nobody.
   * @param {number} number
   * @returns {{ track: Track | null, channel: Channel | null }}
   */
  #addressee(number) {
    const channel = this.#numbers.get(number);
    // What comes between an `Unsubscribe` and its answer is for nobody.
    if (channel !== undefined) return channel.phase === 'live' ? { track: channel.track, channel } : NOBODY;
    const track = this.#named.track(number);
    if (track !== undefined) return { track, channel: null };
    if (this.#named.hasOverflowed) return NOBODY;
    // "a violation, and so is a delivery for a channel's number that was not given or is given up" (PROTOCOL.md,
    // "Offsets").
    throw new Violation(`channel number ${number} was not given, or is given up`);
  }

  /**
   * Asks for a channel, if that is what is to be done next.
   * @param {Channel} channel
   */
  #pursue(channel) {
    if (this.#ask === null || channel.phase !== 'wanted' || channel.members.length === 0) return;
    const { name, nextStart: start } = channel;
    const options = channel.excludeOwn ? EXCLUDE_OWN : 0;
    channel.phase = 'asking';
    const request = this.#ask((request) => ({ kind: 'Subscribe', request, channel: name, start, options }));
    this.#requests.set(request, { channel, start });
  }

  /**
   * Gives up where a channel without listeners stands, on the wire too.
   * @param {Channel} channel
   */
  #abandon(channel) {
    const start = channel.nextStart;
    channel.forget();
    if (channel.phase === 'asking') channel.isStale = true;
    if (channel.phase === 'live') this.#part(channel, start);
  }

  /**
   * @param {Channel} channel
   * @param {Start} start
   */
  #part(channel, start) {
    if (this.#ask === null) return;
    channel.phase = 'leaving';
    const request = this.#ask((request) => ({ kind: 'Unsubscribe', request, channel: channel.name }));
    this.#requests.set(request, { channel, start });
  }

  /**
   * @param {Channel} channel
   * @param {Start} start
   * @param {Subscribed} answer
   */
  #subscribed(channel, start, answer) {
    const owner = this.#numbers.get(answer.channel) ?? channel;
    if (owner !== channel || this.#named.isAnothers(answer.channel, channel.name)) throw oneNumber();
    this.#numbers.set(answer.channel, channel);
    channel.number = answer.channel;
    this.#named.remove(channel.name);
    if (channel.isStale) {
      // Its last listener left while it was asked for; who came since wants it from another place.
      channel.isStale = false;
      channel.phase = 'live';
      this.#part(channel, start);
      return;
    }
    this.#refusals.delete(channel);
    this.#tell(channel, channel.begin(start, answer));
  }

  /** @param {Channel} channel */
  #left(channel) {
    this.#numbers.delete(channel.number);
    channel.number = -1;
    channel.isStale = false;
    channel.phase = 'wanted';
    if (channel.members.length > 0) this.#pursue(channel);
    else {
      this.#remove(channel);
      this.#options.onChange();
    }
  }

  /**
   * Refused for a passing reason: all that wait are asked for again after one growing pause.
   * @param {Channel} channel
   * @param {CallboardError} error
   */
  #refused(channel, error) {
    const { clock, retries } = this.#options;
    // If all were well before, the pauses begin anew.
    if (this.#refusals.size === 0) retries.reset();
    this.#refusals.add(channel);
    channel.phase = 'refused';
    if (this.#retry !== null) return;
    const asked = /** @type {any} */ (error.data)?.retry_after_ms;
    const floor = typeof asked === 'number' ? Math.min(asked, RETRY_AFTER_MS_MAX) : 0;
    const pause = Math.max(retries.pause(clock.random()), floor);
    this.#retry = clock.setTimeout(() => {
      this.#retry = null;
      for (const channel of this.#channels.values()) {
        if (channel.phase !== 'refused') continue;
        channel.phase = 'wanted';
        this.#pursue(channel);
      }
    }, pause);
  }

  /** @param {Channel} channel */
  #remove(channel) {
    this.#options.clock.clearTimeout(channel.grace);
    this.#channels.delete(channel.name);
    this.#refusals.delete(channel);
  }

  /**
   * @param {Channel} channel
   * @param {Missing | null} missing
   */
  #tell(channel, missing) {
    if (missing !== null) this.#options.onGap({ channel: channel.name, ...missing });
  }
}

function oneNumber() {
  return new Violation('the broker gave one number to two channels');
}

/** @type {{ track: null, channel: null }} */
const NOBODY = Object.freeze({ track: null, channel: null });
