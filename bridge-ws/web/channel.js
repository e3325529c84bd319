// One channel of the table: how far it is on the wire, where it stands, and who listens to it here. It never sends.

import { RECENT_BYTES, RECENT_MESSAGES } from './defaults.js';
import { CallboardError, call } from './error.js';
import { Track, Violation } from './recovery.js';

/** @import { Missing } from './recovery.js' */
/** @import { Gap, Listener, Message, Position, Start, Subscribed, SubscribeOptions } from './types.js' */

/**
 * How far a channel is on the wire: it is to be asked for; it was asked for; its messages come; the broker was told
 * that it is left; the broker refused it for a passing reason.
 * @typedef {'wanted' | 'asking' | 'live' | 'leaving' | 'refused'} Phase
 */

/** A listener of a channel. */
export class Member {
  #listener;
  #options;
  /** What came before it, and that it has not heard yet. @type {Message[]} */
  #kept = [];
  /** What it wanted of the time before that, and does not get. @type {Missing | null} */
  #lacks = null;
  /** @type {(position: Position) => void} */
  #resolve = () => {};
  /** @type {(error: CallboardError) => void} */
  #reject = () => {};
  /** Whether the broker's answer is still to come. */
  isWaiting = true;
  isGone = false;
  /** Whether the channel's messages come, and what it was told of that. */
  #isLive = false;
  #wasLive = false;
  /** What is to be done when it has ended for good. */
  onGone = () => {};
  /** The first offset that it gets in this epoch. */
  from = 0;

  /**
   * @param {Channel} channel
   * @param {Listener} listener
   * @param {SubscribeOptions} options
   */
  constructor(channel, listener, options) {
    this.channel = channel;
    this.rewind = options.rewind ?? 0;
    this.#listener = listener;
    this.#options = options;
    /** @type {Promise<Position>} */
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who does not look at it is told by `onEnd`.
    this.ready.catch(() => {});
  }

  /**
   * Begins after a place, with what came since.
   * @param {Position} position
   * @param {Message[]} kept
   * @param {Missing | null} lacks
   */
  begin(position, kept, lacks) {
    this.isWaiting = false;
    this.#resolve(position);
    this.#kept = kept;
    this.#lacks = lacks;
    // No listener is called before the call that subscribed it has returned.
    if (kept.length > 0 || lacks !== null) queueMicrotask(() => this.#catchUp());
  }

  /**
   * The channel's messages come, or no more. It hears of that behind whoever is at work now.
   * @param {boolean} isLive
   */
  live(isLive) {
    this.#isLive = isLive;
    queueMicrotask(() => this.#tellLive());
  }

  /** @param {Message} message */
  hear(message) {
    this.#catchUp();
    this.#call(message);
  }

  /**
   * Tells what it missed of a stretch that did not come: nothing of what lies before its own place.
   * @param {Missing} missing
   */
  miss({ from, to, why }) {
    const place = this.from - 1;
    const isPartlyBefore = from.offset < place;
    if (isPartlyBefore && from.epoch === to.epoch && to.offset <= place) return;
    this.from = 0;
    const since = isPartlyBefore ? { epoch: from.epoch, offset: place } : from;
    this.#catchUp();
    this.#tellGap({ from: since, to, why });
  }

  /**
   * No answer is on its way: who awaits it is told, and whoever listens goes on to listen.
   * @param {CallboardError} error
   */
  unready(error) {
    this.#reject(error);
  }

  /**
   * Ends it for good. Says whether somebody was told.
   * @param {CallboardError} error
   */
  end(error) {
    if (this.isGone) return true;
    this.isGone = true;
    this.live(false);
    this.#reject(error);
    this.onGone();
    call(this.#options.onEnd, error);
    return this.#options.onEnd !== undefined;
  }

  /** It listens no more. */
  leave() {
    this.isGone = true;
    this.live(false);
    this.#reject(new CallboardError(0, 'unsubscribed', 'the subscription was ended before the broker answered'));
  }

  #tellLive() {
    if (this.#isLive === this.#wasLive) return;
    this.#wasLive = this.#isLive;
    call(this.#options.onLive, this.#isLive);
  }

  /** A WebSocket may bring the next message in the same turn: what came before goes first. */
  #catchUp() {
    const [kept, lacks] = [this.#kept, this.#lacks];
    this.#kept = [];
    this.#lacks = null;
    if (lacks !== null && !this.isGone) this.channel.onLate(this.#tellGap(lacks));
    for (const message of kept) this.#call(message);
  }

  /** @param {Missing} missing */
  #tellGap(missing) {
    const gap = { channel: this.channel.name, ...missing };
    if (!this.isGone) call(this.#options.onGap, gap);
    return gap;
  }

  /** @param {Message} message */
  #call(message) {
    if (!this.isGone) call(this.#listener, message.payload, message.channel, message);
  }
}

/** A channel that somebody listens to, or that is not yet left on the wire. */
export class Channel {
  /** @type {Phase} */
  phase = 'wanted';
  /** Whether a question is on its way whose askers have all left. */
  isStale = false;
  /** @type {Member[]} */
  members = [];
  /** Ends the grace of a channel without listeners. @type {any} */
  grace = null;
  /** The number that its messages come under, while it has one. */
  number = -1;
  #rewind = 0;
  #excludeOwn = false;
  /** Where it stands; `null` until the broker answered. @type {Track | null} */
  #track = null;
  /** The first offset for listeners who come late: while a rewind is on its way, they do not get its rest. */
  #live = 0;
  /** The last messages of a rewound channel. @type {{ offset: number, message: Message, bytes: number }[]} */
  #recent = [];
  #recentBytes = 0;
  /** The offset from which on it has kept, or is about to get, whatever the broker has. */
  #reach = 0;

  /**
   * @param {string} name
   * @param {(gap: Gap) => void} onLate Hears what a listener who came late does not get.
   */
  constructor(name, onLate) {
    this.name = name;
    this.onLate = onLate;
  }

  get excludeOwn() {
    return this.#excludeOwn;
  }

  /** Where the next `Subscribe` begins. @returns {Start} */
  get nextStart() {
    if (this.#track !== null) return { kind: 'Recover', position: this.#track.position };
    return this.#rewind > 0 ? { kind: 'Rewind', messages: this.#rewind } : { kind: 'Live' };
  }

  /** The place of a channel whose messages come. */
  get track() {
    if (this.#track === null) throw new Violation('a message came for a channel that does not stand anywhere yet');
    return this.#track;
  }

  /**
   * Whether a listener with these options can share what comes over the wire as it is. Beside others it is told of what
   * it came too late for; alone it has the channel begin anew.
   * @param {SubscribeOptions} options
   */
  suits({ rewind = 0, excludeOwn = false }) {
    const isUnasked = this.#track === null && (this.phase !== 'asking' || this.isStale);
    if (isUnasked && this.members.length === 0) return true;
    if (excludeOwn !== this.#excludeOwn) return false;
    // What was asked for or kept serves whoever wants no more than that.
    const served = this.#track === null ? this.#rewind : Math.min(this.#rewind, RECENT_MESSAGES);
    return this.members.length > 0 || rewind <= served;
  }

  /** Forgets where it stands, to begin anew. */
  forget() {
    this.#track = null;
    this.#live = 0;
    this.#rewind = 0;
    this.#forgetRecent();
  }

  /**
   * Takes a listener whom it {@link suits}, or who is the first of a new beginning.
   * @param {Listener} listener
   * @param {SubscribeOptions} options
   */
  join(listener, options) {
    const member = new Member(this, listener, options);
    if (this.members.length === 0) this.#excludeOwn = options.excludeOwn ?? false;
    if (this.#track === null) this.#rewind = Math.max(this.#rewind, member.rewind);
    else if (this.phase === 'live') this.#joinLate(member);
    this.members.push(member);
    return member;
  }

  /**
   * The broker answered a `Subscribe` that asked for `start`.
   * @param {Start} start
   * @param {Subscribed} answer
   */
  begin(start, answer) {
    const { track, missing } = Track.begin(start, answer);
    this.phase = 'live';
    this.number = answer.channel;
    this.#track = track;
    this.#live = answer.position.offset + 1;
    if (missing !== null) this.#forgetRecent();
    if (start.kind !== 'Recover' || missing !== null) this.#reach = answer.next;
    // The broker gave less than it was asked for, so that it has no more.
    if (start.kind === 'Rewind' && this.#live - answer.next < start.messages) this.#reach = 0;
    for (const member of [...this.members]) {
      if (member.isWaiting) {
        const first = this.#recent[0]?.offset ?? answer.next;
        this.#admit(member, Math.max(this.#live - member.rewind, first));
      } else if (missing !== null) member.miss(missing);
      // Who heard of the gap may have ended the session.
      if (this.phase === 'live') member.live(true);
    }
    return missing;
  }

  /** The session is over: it is to be asked for in the next one. */
  rest() {
    this.phase = 'wanted';
    this.isStale = false;
    this.number = -1;
    for (const member of this.members) member.live(false);
  }

  /**
   * Gives a message to every listener.
   * @param {number} offset
   * @param {Message} message
   * @param {number} bytes
   */
  deliver(offset, message, bytes) {
    this.#remember({ offset, message, bytes });
    for (const member of [...this.members]) {
      if (offset >= member.from) member.hear(message);
    }
  }

  /**
   * The broker went on from another position.
   * @param {Position} position
   */
  reset(position) {
    const missing = this.track.reset(position);
    this.#forgetRecent();
    this.#reach = position.offset + 1;
    if (missing.why === 'new-epoch') this.#live = 0;
    for (const member of [...this.members]) member.miss(missing);
    return missing;
  }

  /** @param {Member} member */
  #joinLate(member) {
    const next = this.track.position.offset + 1;
    const kept = member.rewind === 0 ? undefined : this.#recent.at(-member.rewind) ?? this.#recent[0];
    // While a rewind is on its way, who asked for none does not get its rest.
    const live = member.rewind === 0 ? Math.max(this.#live, next) : next;
    this.#admit(member, kept?.offset ?? live);
    member.live(true);
  }

  /**
   * Lets a listener begin with an offset, gives it what of that has come already, and tells it what it wanted beside.
   * @param {Member} member
   * @param {number} from
   */
  #admit(member, from) {
    const { epoch, offset } = this.track.position;
    const wanted = Math.max(Math.max(this.#live, offset + 1) - member.rewind, 1);
    const place = { epoch, offset: from - 1 };
    const isServed = wanted >= this.#reach;
    member.from = from;
    const kept = this.#recent.filter(({ offset }) => offset >= from).map(({ message }) => message);
    member.begin(place, kept, isServed ? null : { from: { epoch, offset: wanted - 1 }, to: place, why: 'late' });
  }

  /** @param {{ offset: number, message: Message, bytes: number }} entry */
  #remember(entry) {
    this.#recent.push(entry);
    this.#recentBytes += entry.bytes;
    while (this.#recent.length > Math.min(this.#rewind, RECENT_MESSAGES) || this.#recentBytes > RECENT_BYTES) {
      const left = /** @type {{ offset: number, bytes: number }} */ (this.#recent.shift());
      this.#recentBytes -= left.bytes;
      this.#reach = left.offset + 1;
    }
  }

  #forgetRecent() {
    this.#recent = [];
    this.#recentBytes = 0;
  }
}
