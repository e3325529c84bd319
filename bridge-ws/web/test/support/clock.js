// Time that passes when a test says so, and dice that fall as it says.

/** Lets everything happen that waits for no time. */
export function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock {
  time = 1_700_000_000_000;
  /** What the dice show, from 0 up to 1. */
  chance = 0.5;
  #timers = new Map();
  #last = 0;

  /** How far the clock on the wall was set; timers know nothing of that. */
  offset = 0;

  now = () => this.time + this.offset;
  random = () => this.chance;

  setTimeout = (callback, ms) => {
    this.#last += 1;
    this.#timers.set(this.#last, { callback, at: this.time + Math.max(ms, 0) });
    return this.#last;
  };

  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  /** How many timers run. */
  get running() {
    return this.#timers.size;
  }

  /** Lets time pass; each timer fires at its time. */
  async advance(ms) {
    const end = this.time + ms;
    await settled();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.time = Math.max(this.time, next.at);
      await this.#fire(next);
    }
    this.time = end;
    await settled();
  }

  /** Lets time pass as for a page that sleeps: timers that came due fire late, all at the end. */
  async sleep(ms) {
    this.time += ms;
    for (let next = this.#next(this.time); next !== undefined; next = this.#next(this.time)) await this.#fire(next);
  }

  #next(end) {
    const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
    return due.length === 0 ? undefined : { id: due[0][0], ...due[0][1] };
  }

  async #fire({ id, callback }) {
    this.#timers.delete(id);
    callback();
    await settled();
  }
}
