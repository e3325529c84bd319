// When something that is polled is to be read again: events in, a pause out. Pure; it runs nothing and has no clock.

/**
 * The pace of one poll. A run is fresh if it went well and whatever changed since it began has come as a message or
 * will: it began when the channel's messages came already, and since then none is missing. While they come, a fresh
 * run makes the pace slow.
 */
export class Pace {
  #intervalMs;
  #slowMs;
  /** Whether the channel's messages come now, and whether they ever did. */
  #isLive = false;
  #hasBegun = false;
  #isHidden = false;
  #isRunning = false;
  /** Whether a run is wanted that did not begin yet. */
  #isWanted = true;
  /** Whether the run on its way began when messages came already. */
  #isProvable = false;
  #isFresh = false;
  /** When the last run ended. */
  #endedAt = 0;
  /** When the pause of the given interval began. */
  #since = 0;

  /**
   * The first run is wanted at once.
   * @param {number} intervalMs
   * @param {number} slowMs
   */
  constructor(intervalMs, slowMs) {
    this.#intervalMs = intervalMs;
    this.#slowMs = slowMs;
  }

  /** Whether the bus makes all but the slow polls needless. */
  get isSlow() {
    return this.#isLive && this.#isFresh && !this.#isWanted;
  }

  /** Whether nobody looks. */
  get isHidden() {
    return this.#isHidden;
  }

  /** Something changed or may have, as after a message or a gap: one run that begins from now on is wanted. */
  want() {
    this.#isWanted = true;
  }

  /** The channel's messages come from now on; those since the last {@link lost} come too, or a gap is told. */
  live() {
    this.#isLive = true;
    this.#hasBegun = true;
  }

  /**
   * The channel's messages come no more, for now or for good. What was read is true up to now, so that the interval
   * begins anew, somewhere in its midst: a thousand pages lose one broker in one instant.
   * @param {number} now
   * @param {number} chance From 0 up to 1.
   */
  lost(now, chance) {
    if (this.isSlow) this.#since = Math.max(this.#since, now - chance * this.#intervalMs);
    this.#isLive = false;
  }

  /** @param {boolean} isHidden Whether nobody looks. */
  hide(isHidden) {
    this.#isHidden = isHidden;
  }

  /** A run begins. */
  begin() {
    this.#isRunning = true;
    this.#isWanted = false;
    this.#isProvable = this.#hasBegun;
  }

  /**
   * The run has ended.
   * @param {number} now
   * @param {boolean} isWell
   */
  end(now, isWell) {
    this.#isRunning = false;
    this.#isFresh = isWell && this.#isProvable;
    this.#endedAt = now;
    this.#since = now;
  }

  /**
   * How many milliseconds are left until the next run begins; `null` if that depends on something else than time.
   * @param {number} now
   */
  left(now) {
    if (this.#isRunning || this.#isHidden) return null;
    if (this.#isWanted) return 0;
    // A clock that was set back makes no pause longer than it is.
    this.#endedAt = Math.min(this.#endedAt, now);
    this.#since = Math.min(this.#since, now);
    const at = this.isSlow ? this.#endedAt + this.#slowMs : this.#since + this.#intervalMs;
    return Math.max(at - now, 0);
  }
}
