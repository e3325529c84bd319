// Against a broker that keeps every rule, whatever happens in between: no listener misses or repeats a message without
// being told, and what is acknowledged is stored once and in order.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { reported, setUp } from './support/broker.js';
import { settled } from './support/clock.js';
import { chance } from './support/vectors.js';

const SEED = 2026;
const PAGES = 60;
const STEPS = 150;
const HISTORY = 4;
const NAMES = ['a', 'b', 'c'];

/** A broker of three channels with a short history, that answers what it heard when it is told to. */
class Model {
  #dice;
  #lives = 0;
  channels = new Map();
  /** The ids of the publishes that each channel has. */
  stored = new Map(NAMES.map((name) => [name, []]));
  #subscribed = new Set();
  #waiting = [];
  /** What it says, to be heard later. @type {(() => void)[]} */
  #words = [];
  #last = null;

  constructor(broker, dice) {
    this.broker = broker;
    this.#dice = dice;
    this.restart();
  }

  /** Every channel begins anew, under other numbers. */
  restart() {
    this.#lives += 1;
    NAMES.forEach((name, index) => {
      const number = 1 + ((index + this.#lives) % NAMES.length);
      this.channels.set(name, { name, number, epoch: 100 * this.#lives + index, texts: [] });
    });
  }

  /** The session is over. */
  forget() {
    this.#subscribed.clear();
    this.#waiting = [];
    this.#words = [];
  }

  /** What the page is subscribed to. */
  get subscribed() {
    return [...this.#subscribed].sort();
  }

  append(channel, text) {
    channel.texts.push(text);
    if (this.#subscribed.has(channel.name)) this.#deliver(channel, channel.texts.length);
    return { epoch: channel.epoch, offset: channel.texts.length };
  }

  /** Reads some of what came, and says some of what it has to say; or all of both. */
  work(isThorough) {
    const { socket } = this.broker;
    if (socket !== this.#last) this.forget();
    this.#last = socket;
    this.#waiting.push(...socket.heard.splice(0).filter(({ kind }) => !['Hello', 'Goodbye', 'Pong'].includes(kind)));
    const goesOn = () => socket.closed === null && (isThorough || this.#dice.below(4) > 0);
    while (this.#waiting.length > 0 && goesOn()) this.#answer(this.#waiting.shift(), isThorough);
    while (this.#words.length > 0 && goesOn()) this.#words.shift()();
  }

  #answer(frame, isThorough) {
    const { broker } = this;
    const channel = this.channels.get(frame.channel);
    if (frame.kind === 'Publish') return this.#publish(channel, frame);
    if (frame.kind === 'Unsubscribe') {
      this.#subscribed.delete(channel.name);
      return this.#words.push(() => broker.ok(frame.request));
    }
    assert.equal(frame.kind, 'Subscribe');
    assert.ok(!this.#subscribed.has(channel.name), 'a channel is subscribed once');
    if (!isThorough && this.#dice.below(6) === 0) {
      return this.#words.push(() => broker.failed(frame.request, 503, 'unavailable'));
    }
    return this.#subscribe(channel, frame);
  }

  #subscribe(channel, { request, start }) {
    const { epoch, number } = channel;
    const offset = channel.texts.length;
    const oldest = Math.max(offset - HISTORY, 0) + 1;
    let next = offset + 1;
    let recovered = true;
    if (start.kind === 'Rewind') next = Math.max(oldest, offset + 1 - start.messages);
    if (start.kind === 'Recover') {
      recovered = start.position.epoch === epoch && start.position.offset + 1 >= oldest;
      if (recovered) next = start.position.offset + 1;
    }
    this.#subscribed.add(channel.name);
    const position = { epoch, offset };
    const answer = { kind: 'Subscribed', channel: number, position, next, recovered };
    this.#words.push(() => this.broker.ok(request, answer));
    for (let from = next; from <= offset; from += 1) this.#deliver(channel, from);
  }

  #publish(channel, { request, sequence, payload }) {
    const all = this.stored.get(channel.name);
    let known = all.find((one) => one.sequence === sequence);
    if (known === undefined) {
      known = { sequence, position: this.append(channel, payload.text) };
      all.push(known);
    }
    this.#words.push(() => this.broker.ok(request, { kind: 'Published', position: known.position }));
  }

  #deliver({ number, texts }, offset) {
    this.#words.push(() => this.broker.message(offset, texts[offset - 1], number));
  }
}

/** A listener that holds its messages to be whole, up to the gaps that it is told. */
class Watcher {
  place = null;
  first = null;

  constructor(client, name, rewind) {
    this.name = name;
    this.rewind = rewind;
    this.isLate = false;
    this.stop = client.subscribe(name, (_text, _channel, { position }) => this.#hear(position), {
      rewind, onGap: (gap) => this.#miss(gap),
    });
    this.stop.ready.then((place) => { this.place ??= place; }, () => {});
  }

  #hear(position) {
    if (this.place !== null) assert.deepEqual(position, { ...this.place, offset: this.place.offset + 1 });
    this.place = position;
  }

  #miss({ from, to, why }) {
    // What lies before its first place.
    if (why === 'late') {
      assert.ok(from.epoch === to.epoch && from.offset < to.offset && to.offset - from.offset <= this.rewind);
      assert.equal(this.isLate, false);
      this.isLate = true;
      this.place ??= to;
      assert.deepEqual(to, this.place);
      return;
    }
    if (this.place !== null) assert.deepEqual(from, this.place);
    this.place = to;
  }
}

test('no listener misses or repeats a message untold, and what is acknowledged is stored once', async () => {
  const dice = chance(SEED);
  for (let count = 0; count < PAGES; count += 1) {
    const errors = await reported(() => live(dice));
    assert.deepEqual(errors, [], `page ${count} of seed ${SEED}`);
  }
});

async function live(dice) {
  const { client, broker, clock, page } = setUp({ unsubscribeGraceMs: 20, lingerMs: 100 });
  const model = new Model(broker, dice);
  const watchers = [];
  const acked = [];
  let published = 0;
  client.onState(({ reason }) => assert.notEqual(reason?.class, 'broker-at-fault', reason?.sentence));
  client.onError(() => {});
  const isOpen = () => client.state.name === 'online';
  let suspensions = 0;
  /** The socket whose session a bridge ended last. */
  let kept = null;
  let isAway = false;
  const suspend = () => {
    kept = broker.socket;
    kept.heard.length = 0;
    model.forget();
    isAway = true;
    broker.suspend((suspensions += 1));
  };
  const isKept = () => kept !== null && kept.closed === null;
  const resume = () => {
    if (isAway && isKept()) broker.say({ kind: 'Resumed', nonce: suspensions });
    isAway = false;
  };
  const open = async () => {
    await settled();
    if (client.state.name === 'connecting') await (isKept() ? broker.welcomeAgain() : broker.welcome());
  };
  const leaveOne = () => watchers.splice(dice.below(watchers.length + 1), 1).forEach(({ stop }) => stop());
  const steps = [
    () => {
      watchers.push(new Watcher(client, NAMES[dice.below(3)], dice.below(3)));
    },
    leaveOne,
    leaveOne,
    () => {
      published += 1;
      acked.push(client.publishAcked(NAMES[dice.below(3)], `${published}`));
    },
    () => isOpen() && model.work(false),
    () => isOpen() && model.work(false),
    () => model.append(model.channels.get(NAMES[dice.below(3)]), 'of another'),
    () => model.append(model.channels.get(NAMES[dice.below(3)]), 'of another'),
    () => isOpen() && dice.below(6) === 0 && broker.socket.drop(),
    () => isOpen() && dice.below(8) === 0 && (broker.socket.drop(), model.restart()),
    () => isOpen() && dice.below(4) === 0 && suspend(),
    () => isOpen() && dice.below(8) === 0 && (suspend(), model.restart()),
    resume,
    resume,
    () => dice.below(6) === 0 && page.window.dispatchEvent(new Event('pagehide')),
    () => page.window.dispatchEvent(new Event('pageshow')),
    () => clock.advance(dice.below(80)),
    open,
    open,
  ];
  for (let count = 0; count < STEPS; count += 1) {
    await steps[dice.below(steps.length)]();
    if (!isOpen()) model.forget();
    if (dice.below(2) === 0) await settled();
  }
  page.window.dispatchEvent(new Event('pageshow'));
  for (let count = 0; count < 20; count += 1) {
    resume();
    await open();
    if (isOpen()) model.work(true);
    await clock.advance(20_000 * (count % 2));
  }
  for (const { name, place } of watchers) {
    const { epoch, texts } = model.channels.get(name);
    assert.deepEqual(place, { epoch, offset: texts.length }, 'everybody has heard or was told everything');
  }
  assert.deepEqual(model.subscribed, [...new Set(watchers.map(({ name }) => name))].sort());
  await Promise.all(acked);
  for (const all of model.stored.values()) {
    const sequences = all.map(({ sequence }) => sequence);
    assert.deepEqual(sequences, [...sequences].sort((one, other) => one - other));
  }
  await client.close();
  assert.equal(clock.running, 0);
}
