// The sheet of the poll that the bus makes needless: the same data fetched in two ways, with what each of them costs.

import { poll } from '/callboard/index.js';

import { element, show, showCode } from './elements.js';

/** @import { Client } from '/callboard/index.js' */
/** @typedef {(run?: { signal?: AbortSignal }) => Promise<void>} Read */

/**
 * @param {Client} bus
 * @param {Read} readByClock
 * @param {Read} readByBus
 */
function compare(bus, readByClock, readByBus) {
  // Every 2 s, whatever happens.
  setInterval(readByClock, 2000);

  // At once on each hint, and every 2 s, or 20 s
  // while the bus proves that none was missed.
  poll(bus, 'demo/box-office', 2000, readByBus);
}

/**
 * What is sold; `null` while the box office is closed, `elsewhere` if it reports to the broker's own page alone.
 * @param {AbortSignal} [signal]
 */
async function report(signal) {
  const response = await fetch('/demo/box-office', { signal });
  return response.ok ? response.json() : null;
}

/** @param {Client} bus */
export async function hangOffice(bus) {
  showCode('office-code', compare, report);
  // Who cannot be asked now is asked again below.
  const first = await report().catch(() => null);
  const isElsewhere = first?.elsewhere === true;
  for (const id of ['office-table', 'office-sell']) element(id, HTMLElement).hidden = isElsewhere;
  element('office-elsewhere', HTMLElement).hidden = !isElsewhere;
  // What would never come is not asked for.
  if (!isElsewhere) hangTable(bus);
}

/** @param {Client} bus */
function hangTable(bus) {
  const byClock = reader('clock');
  // Its next turn comes whatever becomes of this one; the poll wants to know.
  const readByClock = () => byClock().catch(() => {});
  readByClock();
  compare(bus, readByClock, reader('bus'));
  element('office-sell', HTMLButtonElement).onclick = () => bus.publish('demo/box-office/sales', 'one, please');
}

/**
 * What reads the report and fills one column, with what it took.
 * @param {'clock' | 'bus'} of
 * @returns {Read}
 */
function reader(of) {
  const cell = (/** @type {string} */ row) => {
    const found = document.querySelector(`#office-table [data-of=${of}][data-row=${row}]`);
    if (found === null) throw new Error(`the page has no cell ${row} of ${of}`);
    return found;
  };
  const [sold, requests, vain, late] = ['sold', 'requests', 'vain', 'late'].map(cell);
  const count = { requests: 0, vain: 0, news: 0, lateMs: 0 };
  /** The revision that is shown. @type {number | null} */
  let shown = null;
  return async ({ signal } = {}) => {
    show(requests, (count.requests += 1));
    const news = await report(signal);
    element('office-closed', HTMLElement).hidden = news !== null;
    element('office-sell', HTMLButtonElement).disabled = news === null;
    if (news === null || news.revision === shown) return show(vain, (count.vain += 1));
    // How old the first report is says nothing of who fetched it.
    if (shown !== null) {
      count.news += 1;
      count.lateMs += news.age_ms;
      show(late, seconds(count.lateMs / count.news));
    }
    shown = news.revision;
    show(sold, news.sold);
  };
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(ms < 100 ? 3 : 1)} s`;
}
