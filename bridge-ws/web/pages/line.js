// The sheet of how the line is doing: its state, its round trip, and when it comes back. It opens and closes nothing.

import { element, hideRefusal, pause, show, showCode, showRefusal } from './elements.js';

/** @import { Client, Position, State } from '/callboard/index.js' */

/**
 * @param {Client} bus
 * @param {{ retry: HTMLButtonElement, state: (state: State) => void, gap: () => void, ask: (began: number) => void,
 *   echo: (ms: number, place: Position) => void, refused: (error: any) => void }} sheet
 */
async function watch(bus, { retry, state, gap, ask, echo, refused }) {
  bus.onState(state); // { name, reason, retryAt, session }
  bus.onGap(gap);
  retry.onclick = () => bus.reconnect();

  const channel = bus.oneOffChannel();
  for (;;) {
    const began = performance.now();
    ask(began);
    await bus.publishAcked(channel, 'hello?')
      .then((place) => echo(performance.now() - began, place), refused);
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
  let asking = 0;
  return {
    retry: element('line-retry', HTMLButtonElement),
    // The last round trip says nothing of one that takes long.
    ask: (/** @type {number} */ began) => {
      const look = () => show(value('trip'), `waiting for ${Math.round((performance.now() - began) / 1000)} s`);
      asking = setInterval(look, 1000);
    },
    refused: (/** @type {Error} */ error) => {
      clearInterval(asking);
      show(value('trip'), '–');
      showRefusal(error);
    },
    state: (/** @type {State} */ { name, reason, retryAt, session }) => {
      // Screen readers say each change aloud. One attempt after the other is no news to anybody.
      const word = name === 'connecting' && reason !== null ? 'waiting' : name;
      show(element('state', HTMLOutputElement), name === 'closed' ? `closed: ${reason?.sentence}` : word);
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
      clearInterval(asking);
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
