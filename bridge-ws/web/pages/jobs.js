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
 * @param {(news: any) => void} tell
 */
function start(bus, job, tell) {
  const answerTo = bus.oneOffChannel();

  const stop = bus.subscribe(answerTo, (news) => {
    tell(news); // { percent, doing }, or { refused }
    if (news.percent === 100 || news.refused) stop();
  });

  bus.publish('demo/jobs', { job, answerTo });
}

/** @param {Client} bus */
export function hangJobs(bus) {
  const name = element('job-name', HTMLSelectElement);
  element('job-form', HTMLFormElement).onsubmit = (event) => {
    event.preventDefault();
    start(bus, name.value, row(name.selectedOptions[0].label));
  };
  showCode('job-code', start);
}

/**
 * A new job's row; gives what shows its news.
 * @param {string} title
 */
function row(title) {
  const list = element('job-list', HTMLUListElement);
  const status = element('job-status', HTMLElement);
  const line = document.createElement('li');
  const bar = document.createElement('progress');
  const doing = marked('span', 'asking');
  bar.max = 100;
  bar.setAttribute('aria-label', title);
  line.append(marked('b', title), ' ', doing, bar);
  list.prepend(line);
  while (list.children.length > JOBS_MAX) list.children[JOBS_MAX].remove();
  show(status, `${title}: asked for`);
  const patience = setTimeout(() => {
    doing.replaceChildren('nobody has taken it: the program comes with ', marked('code', 'callboard serve --demo'));
    show(status, `${title}: ${doing.textContent}`);
  }, PATIENCE_MS);
  return (/** @type {{ percent?: number, doing?: string, refused?: string }} */ news) => {
    clearTimeout(patience);
    const { percent, doing: what, refused } = news;
    if (refused !== undefined) bar.remove();
    else bar.value = Number(percent) || 0;
    show(doing, refused ?? (percent === 100 ? 'done' : `${what}, ${percent} %`));
    if (refused !== undefined || percent === 100) show(status, `${title}: ${doing.textContent}`);
  };
}
