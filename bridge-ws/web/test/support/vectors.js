// The golden bytes of protocol/vectors, in the shapes of this package.

import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../../../protocol/vectors/', import.meta.url);

/** The vectors with a frame: `{ name, direction, body, frame }`. */
export const FRAMES = read('frames.json').frames.map(({ hex, frame, ...rest }) => (
  { ...rest, body: bytes(hex), frame: inner(frame) }
));
/** What must be refused: `{ name, direction, body | lines, error }`. */
export const MALFORMED = read('malformed.json').malformed.map(({ hex, lines, ...rest }) => ({
  ...rest,
  body: hex === undefined ? undefined : bytes(hex),
  lines: lines?.map((line) => ({ from: line.from, body: bytes(line.hex) })),
}));
export const NAMES = read('names.json');

export function bytes(hex) {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Every integer of four bytes in turn, evenly, from a seed (mulberry32). */
export function chance(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { below: (count) => next() % count };
}

/** A body with one thing wrong, or several; perhaps none. */
export function mutated(body, dice) {
  let result = Uint8Array.from(body);
  for (let count = 1 + dice.below(3); count > 0; count -= 1) {
    const at = dice.below(result.length + 1);
    switch (dice.below(4)) {
      case 0: result[at] = dice.below(256); break;
      case 1: result[at] ^= 1 << dice.below(8); break;
      case 2: result = result.slice(0, at); break;
      default: result = Uint8Array.from([...result.slice(0, at), dice.below(256), ...result.slice(at)]);
    }
  }
  return result;
}

/** The vectors write bytes as `hex`; here they are bytes. */
function inner(value) {
  if (Array.isArray(value) || value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, field]) => {
    if (name === 'instance' || name === 'address') return [name, bytes(field)];
    return name === 'hex' ? ['bytes', bytes(field)] : [name, inner(field)];
  });
  return Object.fromEntries(entries);
}

function read(name) {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}
