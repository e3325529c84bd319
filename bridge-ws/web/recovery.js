// Where a subscription stands in its channel: deliveries in, verdicts out. Pure; it never asks and never delivers.

/** @import { Gap, Position, Start, Subscribed } from './types.js' */

/** The broker broke a rule of order. The session ends with `OutOfOrder` and the next one recovers. */
export class Violation extends Error {
  /** @param {string} sentence */
  constructor(sentence) {
    super(sentence);
    this.name = 'Violation';
  }
}

/**
 * What lies between two places.
 * @typedef {Pick<Gap, 'from' | 'to' | 'why'>} Missing
 */

/** The place up to which a subscription knows what became of every offset. */
export class Track {
  #epoch;
  #offset;

  /** @param {Position} position Deliveries begin after it. */
  constructor({ epoch, offset }) {
    this.#epoch = epoch;
    this.#offset = offset;
  }

  /**
   * Begins with the answer to a `Subscribe` that asked for `start`; `missing` is the gap that the answer admits.
   * @param {Start} start
   * @param {Subscribed} answer
   * @returns {{ track: Track, missing: Missing | null }}
   */
  static begin(start, { position, next, recovered }) {
    const { epoch, offset } = position;
    if (next === 0 || next > offset + 1) {
      throw new Violation(`the broker begins a subscription at offset ${next}, its channel stands at ${offset}`);
    }
    const track = new Track({ epoch, offset: next - 1 });
    if (start.kind !== 'Recover') return { track, missing: null };
    const from = start.position;
    if (recovered) {
      // "`recovered` true: the epoch is `p`'s and `next` is `p.offset` + 1" (PROTOCOL.md, "Recovery").
      if (from.epoch === epoch && from.offset + 1 === next) return { track, missing: null };
      throw new Violation(`the broker says that nothing is missing since ${from.offset}, and goes on with ${next}`);
    }
    // "`recovered` false: […] `next` is `position.offset` + 1".
    if (next !== offset + 1) throw new Violation('the broker did not recover a channel, and does not go on live');
    const why = from.epoch === epoch ? 'not-recoverable' : 'new-epoch';
    return { track, missing: { from, to: track.position, why } };
  }

  /** The last place that is behind this subscription. */
  get position() {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  /**
   * Takes a delivery.
   * @param {number} offset
   * @returns {Position} Its place.
   */
  deliver(offset) {
    const next = this.#offset + 1;
    if (offset !== next) {
      throw new Violation(`offset ${next} comes next, the broker sent ${offset}`);
    }
    this.#offset = offset;
    return this.position;
  }

  /**
   * Takes word of offsets that do not come on purpose.
   * @param {number} through
   */
  skip(through) {
    if (through <= this.#offset) {
      throw new Violation(`the broker skipped through ${through}, which is behind ${this.#offset}`);
    }
    this.#offset = through;
  }

  /**
   * Takes word that the channel goes on after another position.
   * @param {Position} to
   * @returns {Missing}
   */
  reset(to) {
    const from = this.position;
    if (to.epoch === from.epoch && to.offset < from.offset) {
      throw new Violation(`the broker went back within an epoch, to ${to.offset} from ${from.offset}`);
    }
    this.#epoch = to.epoch;
    this.#offset = to.offset;
    return { from, to: this.position, why: to.epoch === from.epoch ? 'reset' : 'new-epoch' };
  }
}
