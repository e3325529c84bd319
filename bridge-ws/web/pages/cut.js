// The sheet of the line that is cut: what somebody else publishes meanwhile comes when the page is back, or it is told.

import { connect } from '/callboard/index.js';

import { pull } from './cable.js';
import { element, marked, pause, show, showCode, showRefusal } from './elements.js';

/** @import { Client } from '/callboard/index.js' */

/** How long the line stays cut. */
const CUT_MS = 5000;

/** As many as are posted. */
const NOTES = 20;

/**
 * @param {Client} bus
 * @param {{ cut: () => void, sent: (note: number) => void, came: (note: number) => void, miss: () => void,
 *   over: Promise<void> }} sheet
 */
async function prove(bus, { cut, sent, came, miss, over }) {
  const channel = bus.oneOffChannel();
  const stop = bus.subscribe(channel, came, { onGap: miss });
  const other = connect(undefined, { shared: false });
  try {
    await stop.ready;
    for (let note = 1; note <= 20; note += 1) {
      if (note === 4) cut(); // our line, not the other one
      await other.publishAcked(channel, note);
      sent(note);
      await pause(150);
    }
    await over; // the last note came, or a gap was told
  } finally {
    stop();
    other.close();
  }
}

/** @param {Client} bus */
export function hangCut(bus) {
  showCode('cut-code', prove);
  blank();
  const button = element('cut-now', HTMLButtonElement);
  button.onclick = () => {
    // A button that is disabled would drop the focus of whoever has just pressed it.
    if (button.getAttribute('aria-disabled') === 'true') return;
    button.setAttribute('aria-disabled', 'true');
    const enable = () => {
      button.setAttribute('aria-disabled', 'false');
    };
    const before = bus.state.name === 'online' ? '' : 'It starts when the connection is up.';
    prove(bus, notes(before)).catch(showRefusal).then(enable);
  };
}

/** The notes that are to be posted. */
function blank() {
  const list = element('cut-notes', HTMLOListElement);
  list.replaceChildren(...Array.from({ length: NOTES }, (_, index) => marked('li', `${index + 1}`)));
  return list;
}

/**
 * What shows the notes of one proof.
 * @param {string} before What it says until there is something to say.
 */
function notes(before) {
  const list = blank();
  const status = element('cut-status', HTMLElement);
  show(status, before);
  const mark = (/** @type {number} */ note, /** @type {string} */ how) => list.children[note - 1]?.classList.add(how);
  /** @type {number[]} */
  const heard = [];
  let sent = 0;
  let gaps = 0;
  let end = () => {};
  const look = () => {
    if (sent < NOTES || (heard.at(-1) !== NOTES && gaps === 0)) return;
    const isInOrder = heard.every((note, index) => index === 0 || note > heard[index - 1]);
    const missing = gaps === 0 ? '' : ' What is missing was reported as a gap.';
    show(status, `${heard.length} of ${NOTES} notes arrived, ${isInOrder ? 'in order' : 'out of order'}.${missing}`);
    end();
  };
  return {
    cut: () => {
      setTimeout(pull(), CUT_MS);
      show(status, `The connection is cut for ${CUT_MS / 1000} seconds.`);
    },
    sent: (/** @type {number} */ note) => {
      sent = note;
      mark(note, 'sent');
      look();
    },
    came: (/** @type {number} */ note) => {
      heard.push(note);
      mark(note, 'came');
      look();
    },
    miss: () => {
      gaps += 1;
      look();
    },
    over: new Promise((/** @type {(value: void) => void} */ resolve) => {
      end = resolve;
    }),
  };
}
