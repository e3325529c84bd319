// The sheet of how the line is doing: its state, its round trip, and when it comes back. It opens and closes nothing.

import { element, pause, show, showCode, showRefusal } from './elements.js';

/** @import { Client, Position, State } from '/callboard/index.js' */

/**
 * @param {Client} bus
 * @param {{ state: (state: State) => void, gap: () => void,
 *   echo: (ms: number, place: Position) => void }} sheet
 */
async function watch(bus, { state, gap, echo }) {
  bus.onState(state); // { name, reason, retryAt, session }
  bus.onGap(gap);

  const channel = bus.oneOffChannel();
  for (;;) {
    const sent = performance.now();
    const place = await bus.publishAcked(channel, 'hello?');
    echo(performance.now() - sent, place);
    await pause(2000);
  }
}

/** @param {Client} bus */
export function hangLine(bus) {
  const sheet = instruments();
  sheet.state(bus.state);
  watch(bus, sheet).catch(showRefusal);
  showCode('line-code', watch);
}

/** What shows how the connection is doing. */
function instruments() {
  const value = (/** @type {string} */ name) => element(`line-${name}`, HTMLElement);
  let attempts = 0;
  let gaps = 0;
  let ticking = 0;
  return {
    state: (/** @type {State} */ { name, reason, retryAt, session }) => {
      show(element('state', HTMLOutputElement), name === 'closed' ? `closed: ${reason?.sentence}` : name);
      element('lamp', HTMLElement).dataset.state = name;
      if (name === 'connecting') show(value('attempts'), (attempts += 1));
      if (name === 'online') {
        attempts = 0;
        show(value('session'), `${session?.connection}`);
      }
      clearInterval(ticking);
      const next = () => show(value('next'), retryAt === null ? '–' : `in ${inSeconds(retryAt - Date.now())}`);
      next();
      if (retryAt !== null) ticking = setInterval(next, 100);
    },
    echo: (/** @type {number} */ ms, /** @type {Position} */ { epoch, offset }) => {
      show(value('trip'), ms < 1000 ? `${ms.toFixed(1)} ms` : inSeconds(ms));
      show(value('place'), `offset ${offset} of epoch ${epoch}`);
    },
    gap: () => show(value('gaps'), (gaps += 1)),
  };
}

/** @param {number} ms */
function inSeconds(ms) {
  return `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
}
