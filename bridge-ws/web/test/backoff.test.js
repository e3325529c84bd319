// Pauses grow with full jitter, the range of the close code decides, and the broker's advice is a floor.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Backoff, comesBack } from '../backoff.js';
import { CloseCode, Return, adviceOf, classOf } from '../close.js';
import { chance } from './support/vectors.js';

const ALMOST_1 = 1 - 2 ** -53;

const ending = (advice, more = {}) => ({ advice, retryAfter: null, livedMs: 0, ...more });

test('bounds double up to the cap', () => {
  const backoff = new Backoff(200, 30_000);
  const pauses = Array.from({ length: 10 }, () => Math.ceil(backoff.pause(ALMOST_1)));
  assert.deepEqual(pauses, [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
});

test('no pause is above the cap, however long the broker is away', () => {
  const backoff = new Backoff(200, 30_000);
  const dice = chance(7);
  for (let round = 0; round < 2000; round += 1) {
    const pause = backoff.pause(dice.below(1000) / 1000);
    assert.ok(pause >= 0 && pause <= 30_000);
  }
});

test('at once holds once, until a session has lived', () => {
  const backoff = new Backoff(1000, 30_000);
  const wait = (livedMs) => Math.ceil(backoff.after(ending(Return.AtOnce, { livedMs }), ALMOST_1).wait);
  assert.deepEqual([wait(0), wait(0), wait(0), wait(10_000), wait(0)], [250, 2000, 4000, 250, 2000]);
});

test('the range of the code decides', () => {
  for (const advice of [Return.Never, Return.Unasked]) assert.equal(comesBack(advice, true), false);
  for (const advice of [Return.AtOnce, Return.Later]) assert.equal(comesBack(advice, false), true);
  assert.deepEqual([true, false].map((isRenewable) => comesBack(Return.WithNewCredential, isRenewable)), [true, false]);
});

test('who is asked to come back again and again pauses as who comes back by itself', () => {
  const backoff = new Backoff(200, 30_000);
  const pauses = [Return.Unasked, Return.Never, Return.WithNewCredential, Return.Later].map((advice) => {
    return Math.ceil(backoff.after(ending(advice), ALMOST_1).wait);
  });
  assert.deepEqual(pauses, [200, 400, 800, 1600]);
});

test('the advice of the broker is the least pause, and has an end', () => {
  const after = (retryAfter) => new Backoff(200, 30_000).after(ending(Return.AtOnce, { retryAfter }), 0);
  assert.deepEqual(after(90_000), { wait: 90_000, floor: 90_000 });
  assert.deepEqual(after(Number.MAX_SAFE_INTEGER), { wait: 3_600_000, floor: 3_600_000 });
});

test('codes are read by their range, and other ends as a broken connection', () => {
  const advice = {
    4000: Return.Unasked, 4099: Return.Unasked, 4100: Return.AtOnce, 4199: Return.AtOnce, 4200: Return.Later,
    4300: Return.WithNewCredential, 4399: Return.WithNewCredential, 4400: Return.Never, 4499: Return.Never,
    0: Return.Later, 1000: Return.Later, 1006: Return.Later, 3999: Return.Later, 4500: Return.Later, 65535: Return.Later,
  };
  for (const [code, wanted] of Object.entries(advice)) assert.equal(adviceOf(Number(code)), wanted, code);
  assert.equal(classOf(CloseCode.ShuttingDown), 'shutting-down');
  assert.equal(classOf(CloseCode.BadCredential), 'bad-credential');
  assert.equal(classOf(4198), 'ended');
});
