// The sheet of how the line is doing: its state, its round trip, and when it comes back. It opens and closes nothing.

import { element, hideRefusal, pause, show, showCode, showRefusal } from './elements.js';

/** @import { Client, Position, State } from '/callboard/index.js' */

/**
 * @param {Client} bus
 * @param {{ retry: HTMLButtonElement, state: (state: State) => void, gap: () => void,
 *   echo: (ms: number, place: Position) => void, refused: (error: any) => void }} sheet
 */
async function watch(bus, { retry, state, gap, echo, refused }) {
  bus.onState(state); // { name, reason, retryAt, session }
  bus.onGap(gap);
  retry.onclick = () => bus.reconnect();

  const channel = bus.oneOffChannel();
  for (;;) {
    const sent = performance.now();
    await bus.publishAcked(channel, 'hello?')
      .then((place) => echo(performance.now() - sent, place), refused);
    await pause(2000);
  }
}

/** @param {Client} bus */
export function hangLine(bus) {
  const sheet = instruments();
  sheet.state(bus.state);
  watch(bus, sheet);
  showCode('line-code', watch);
}

/** What shows how the connection is doing. */
function instruments() {
  const value = (/** @type {string} */ name) => element(`line-${name}`, HTMLElement);
  let attempts = 0;
  let gaps = 0;
  let ticking = 0;
  return {
    retry: element('line-retry', HTMLButtonElement),
    refused: showRefusal,
    state: (/** @type {State} */ { name, reason, retryAt, session }) => {
      show(element('state', HTMLOutputElement), name === 'closed' ? `closed: ${reason?.sentence}` : name);
      element('lamp', HTMLElement).dataset.state = name;
      if (name === 'connecting') show(value('attempts'), (attempts += 1));
      if (name === 'online') {
        attempts = 0;
        show(value('session'), `${session?.connection}`);
        hideRefusal();
      }
      show(value('why'), reason?.sentence ?? '–');
      clearInterval(ticking);
      // A bridge that looks for its broker says when it hopes to find it, and goes on to look.
      const next = () => show(value('next'), retryAt === null ? '–' : retryAt < Date.now() ? 'any moment'
        : `in ${inSeconds(retryAt - Date.now())}`);
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
