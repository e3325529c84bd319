// The sheet of jobs that tell how far they are. It does no job: a program does, somewhere on the bus.

import { element, marked, show, showCode } from './elements.js';

/** @import { Client } from '/callboard/index.js' */

/** Jobs that stay in sight. */
const JOBS_MAX = 4;

/** How long nobody may answer before the page says what may be wrong. */
const PATIENCE_MS = 3000;

/**
 * @param {Client} bus
 * @param {string} job
 * @param {{ tell: (news: any) => void, miss: (gap: { why: string }) => void }} sheet
 */
function start(bus, job, { tell, miss }) {
  const answerTo = bus.oneOffChannel();

  const stop = bus.subscribe(answerTo, (news) => {
    tell(news); // { percent, doing }, or { refused }
    if (news.percent === 100 || news.refused) stop();
  }, { onGap: miss });

  bus.publish('demo/jobs', { job, answerTo });
  return stop;
}

/** @param {Client} bus */
export function hangJobs(bus) {
  const name = element('job-name', HTMLSelectElement);
  element('job-form', HTMLFormElement).onsubmit = (event) => {
    event.preventDefault();
    const line = row(bus, name.selectedOptions[0].label);
    line.stop = start(bus, name.value, line);
  };
  showCode('job-code', start);
}

/**
 * A new job's row, which shows its news. It is told how to stop, and does when nobody has taken the job in time, or
 * when it goes out of sight.
 * @param {Client} bus
 * @param {string} title
 */
function row(bus, title) {
  const list = element('job-list', HTMLUListElement);
  const status = element('job-status', HTMLElement);
  const line = document.createElement('li');
  const bar = document.createElement('progress');
  const doing = marked('span', 'asking');
  bar.max = 100;
  bar.setAttribute('aria-label', title);
  line.append(marked('b', title), ' ', doing, bar);
  list.prepend(line);
  show(status, `${title}: asked for`);
  let { session } = bus.state;
  let patience = setTimeout(look, PATIENCE_MS);
  const row = { tell, miss, stop: () => {} };
  ENDS.set(line, () => {
    clearTimeout(patience);
    row.stop();
  });
  while (list.children.length > JOBS_MAX) remove(list.children[JOBS_MAX]);
  return row;

  function look() {
    const before = session;
    ({ session } = bus.state);
    // Who was not connected all the while may not have asked yet.
    if (session === null || session !== before) {
      patience = setTimeout(look, PATIENCE_MS);
      return;
    }
    row.stop();
    doing.replaceChildren('no program has taken it: that runs with ', marked('code', 'callboard serve --demo'));
    show(status, `${title}: ${doing.textContent}`);
  }

  /** @param {{ why: string }} gap As after a restart of the broker, with which the program has begun anew. */
  function miss({ why }) {
    row.stop();
    tell({ refused: `progress lost (${why})` });
  }

  /** @param {{ percent?: number, doing?: string, refused?: string }} news */
  function tell({ percent, doing: what, refused }) {
    clearTimeout(patience);
    if (refused !== undefined) bar.remove();
    else bar.value = Number(percent) || 0;
    show(doing, refused ?? (percent === 100 ? 'done' : `${what}, ${percent} %`));
    if (refused !== undefined || percent === 100) show(status, `${title}: ${doing.textContent}`);
  }
}

/** How the rows in sight stop. @type {WeakMap<Element, () => void>} */
const ENDS = new WeakMap();

/** @param {Element} line */
function remove(line) {
  ENDS.get(line)?.();
  line.remove();
}
