// The sheet of tabs that talk. Whatever anybody publishes there is shown as text, and never as a part of the page.

import { element, marked, showCode } from './elements.js';

/** @import { Client } from '/callboard/index.js' */

/** Lines that are kept. */
const LINES_MAX = 60;

/** Characters of a line that are shown. */
const LINE_MAX = 300;

const NAMES = ['Prompter', 'Understudy', 'Dresser', 'Stagehand', 'Wigmaker', 'Usher', 'Fly crew', 'Répétiteur'];

/**
 * @param {Client} bus
 * @param {{ form: HTMLFormElement, name: HTMLInputElement, text: HTMLInputElement,
 *   say: (payload: any) => void, miss: (gap: { why: string }) => void }} sheet
 */
function talk(bus, { form, name, text, say, miss }) {
  bus.subscribe('demo/talk', say, {
    rewind: 20,
    onGap: miss,
  });

  form.onsubmit = (event) => {
    event.preventDefault();
    bus.publish('demo/talk', {
      from: name.value,
      text: text.value,
    });
    text.value = '';
  };
}

/** @param {Client} bus */
export function hangTalk(bus) {
  const log = element('talk-log', HTMLElement);
  const name = element('talk-name', HTMLInputElement);
  name.value ||= NAMES[Math.floor(Math.random() * NAMES.length)];
  /** @param {(Element | string)[]} parts */
  const add = (...parts) => {
    const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    const line = document.createElement('p');
    line.append(...parts);
    log.append(line);
    while (log.children.length > LINES_MAX) log.children[0].remove();
    if (wasAtEnd) log.scrollTop = log.scrollHeight;
  };
  talk(bus, {
    form: element('talk-form', HTMLFormElement),
    name,
    text: element('talk-text', HTMLInputElement),
    // Anybody may publish anything, also what no page of ours would.
    say: (payload) => {
      const { from, text = payload } = Object(payload);
      const who = typeof from === 'string' && from !== '' ? from : 'Somebody';
      const said = typeof text === 'string' ? text : JSON.stringify(text);
      add(marked('b', who.slice(0, LINE_MAX)), ' ', said.slice(0, LINE_MAX));
    },
    miss: ({ why }) => add(marked('i', `Something may be missing here (${why}).`)),
  });
  showCode('talk-code', talk);
}
