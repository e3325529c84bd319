// Listeners of one turn get what each of them asked for; who comes later hears what comes, and is told what it came too
// late for.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EPOCH, comeBack, setUpOnline } from './support/broker.js';
import { settled } from './support/clock.js';
import { promise } from './support/react.js';

/** A listener that keeps the payloads and gaps that it hears, in order. */
function hearer() {
  const heard = [];
  const onGap = ({ from, to, why }) => {
    assert.deepEqual([from.epoch, to.epoch], [EPOCH, EPOCH]);
    heard.push(`${why} ${from.offset}-${to.offset}`);
  };
  return { heard, hear: (payload) => heard.push(payload), onGap };
}

/** Joins a channel and gives what it hears. */
function join(client, rewind) {
  const { heard, hear, onGap } = hearer();
  client.subscribe('a', hear, { rewind, onGap });
  return heard;
}

function messages(broker, ...offsets) {
  for (const offset of offsets) broker.message(offset, `${offset}`);
}

test('listeners that come in one turn are asked for together, with the largest rewind', async () => {
  const { client, broker } = await setUpOnline();
  const [live, one, three, two] = [0, 1, 3, 2].map((rewind) => join(client, rewind));
  const { start } = await broker.subscribed({ offset: 10, next: 8 });
  assert.deepEqual(start, { kind: 'Rewind', messages: 3 });
  messages(broker, 8, 9, 10, 11);
  assert.deepEqual([live, one, three, two], [['11'], ['10', '11'], ['8', '9', '10', '11'], ['9', '10', '11']]);
  broker.hearsNothing();
});

test('a channel that is left in the turn in which it was wanted is not asked for', async () => {
  const { client, broker, clock } = await setUpOnline();
  client.subscribe('a', () => {})();
  await clock.advance(1000);
  broker.hearsNothing();
});

test('who comes late to a channel that was not rewound is told what it lacks, and hears the rest', async () => {
  const { client, broker } = await setUpOnline();
  const gaps = [];
  client.onGap(({ channel, why }) => gaps.push([channel, why]));
  const first = join(client, 0);
  await broker.subscribed({ offset: 10 });
  messages(broker, 11, 12);
  const late = join(client, 5);
  assert.deepEqual(late, [], 'nobody is called before subscribe has returned');
  await settled();
  messages(broker, 13);
  assert.deepEqual([first, late], [['11', '12', '13'], ['late 7-12', '13']]);
  assert.deepEqual(gaps, [['a', 'late']]);
  broker.hearsNothing();
});

test('who comes late gets what was kept for others, and is told of what was before that', async () => {
  const { client, broker } = await setUpOnline();
  join(client, 3);
  await broker.subscribed({ offset: 10, next: 8 });
  messages(broker, 8, 9);
  // The rest of the rewind is still on its way.
  const [during, enough] = [join(client, 6), join(client, 3)];
  messages(broker, 10, 11);
  const [after, two] = [join(client, 20), join(client, 2)];
  await settled();
  messages(broker, 12);
  assert.deepEqual(during, ['late 4-7', '8', '9', '10', '11', '12']);
  assert.deepEqual(enough, ['8', '9', '10', '11', '12']);
  assert.deepEqual(after, ['late 0-8', '9', '10', '11', '12']);
  assert.deepEqual(two, ['10', '11', '12']);
});

test('who comes late and could have had no more is told nothing', async () => {
  // The broker had less than it was asked for; or nothing was ever published.
  for (const answer of [{ offset: 10, next: 9 }, { offset: 0, next: 1 }]) {
    const { client, broker } = await setUpOnline();
    join(client, 5);
    await broker.subscribed(answer);
    messages(broker, answer.next, answer.next + 1);
    const late = join(client, 100);
    await settled();
    assert.deepEqual(late, [`${answer.next}`, `${answer.next + 1}`]);
  }
});

test('who comes while the question is on its way is told what the answer does not bring', async () => {
  const { client, broker } = await setUpOnline();
  const first = join(client, 1);
  await settled();
  const late = join(client, 4);
  await broker.subscribed({ offset: 10, next: 10 });
  messages(broker, 10, 11);
  assert.deepEqual([first, late], [['10', '11'], ['late 6-9', '10', '11']]);
});

test('who comes while the connection is lost is told what the next session does not bring', async () => {
  const all = await setUpOnline();
  const { client, broker } = all;
  const first = join(client, 2);
  await broker.subscribed({ offset: 10, next: 9 });
  messages(broker, 9, 10);
  broker.socket.drop();
  const [late, kept] = [join(client, 9), join(client, 3)];
  await comeBack(all);
  await broker.subscribed({ offset: 11, next: 11 });
  messages(broker, 11);
  assert.deepEqual(first, ['9', '10', '11']);
  assert.deepEqual([late, kept], [['late 2-8', '9', '10', '11'], ['9', '10', '11']]);
});

test('what is kept for who comes late has a bound, and what is beyond that is told', async () => {
  const { client, broker } = await setUpOnline();
  join(client, 1000);
  await broker.subscribed({ offset: 1000, next: 1 });
  messages(broker, ...Array.from({ length: 1000 }, (_, index) => index + 1));
  const [late, enough] = [join(client, 300), join(client, 256)];
  await settled();
  assert.deepEqual([late[0], late[1], late.length], ['late 700-744', '745', 257]);
  assert.deepEqual([enough[0], enough.length], ['745', 256]);
});

test('after a reset, who comes late is told of what was dropped', async () => {
  const { client, broker } = await setUpOnline();
  join(client, 5);
  await broker.subscribed({ offset: 10, next: 6 });
  messages(broker, 6, 7);
  broker.say({ kind: 'Reset', channel: 1, position: { epoch: EPOCH, offset: 20 } });
  messages(broker, 21);
  const late = join(client, 3);
  await settled();
  assert.deepEqual(late, ['late 18-20', '21']);
});

promise('components that are mounted together share a channel, whichever of them looks back', async (scene) => {
  const { broker, clock, h, hooks, page } = scene;
  const { heard, hear, onGap } = hearer();
  const Other = () => {
    hooks.useMessageBus('other', () => {});
    return null;
  };
  const Badge = () => {
    hooks.useEffectWithPolling('a', 1000, async () => {}, [], { clock, page });
    return null;
  };
  const List = ({ rewind }) => {
    hooks.useMessageBus('a', hear, { rewind, onGap });
    return null;
  };
  await scene.render(h(Other, { key: 1 }));
  await broker.welcome();
  await broker.subscribed({ number: 2 });
  const both = [h(Other, { key: 1 }), h(Badge, { key: 2 }), h(List, { key: 3, rewind: 2 })];
  await scene.render(...both);
  const { start } = await broker.subscribed({ offset: 10, next: 9 });
  assert.deepEqual(start, { kind: 'Rewind', messages: 2 });
  messages(broker, 9, 10);
  assert.deepEqual(heard, ['9', '10']);
  heard.length = 0;
  await scene.render(...both, h(List, { key: 4, rewind: 4 }));
  assert.deepEqual(heard, ['late 6-8', '9', '10']);
  broker.hearsNothing();
});
