// What the sheets share: finding their elements, and showing the code that they are made of. It knows no sheet.

/**
 * The element of this id, which is of this type.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Shows a text, if it is another one than before: what stays is not announced again.
 * @param {Element} at
 * @param {string | number} text
 */
export function show(at, text) {
  if (at.textContent !== String(text)) at.textContent = String(text);
}

/**
 * Shows these functions as they stand in their modules: what is shown is what runs.
 * @param {string} id
 * @param {Function[]} functions
 */
export function showCode(id, ...functions) {
  const lines = functions.join('\n\n').split('\n').map((text) => {
    const line = document.createElement('span');
    for (const part of `${text}\n`.split(/(\/\/.*|'[^']*')/)) {
      if (part.startsWith('//')) line.append(marked('i', part));
      else if (part.startsWith("'")) line.append(marked('b', part));
      else line.append(part);
    }
    return line;
  });
  element(id, HTMLElement).append(...lines);
}

/**
 * Tells at the head of the page what the broker refused.
 * @param {Error} error
 */
export function showRefusal(error) {
  const refused = element('refused', HTMLElement);
  refused.hidden = false;
  show(refused, `The broker refused: ${error.message}`);
}

/** What was refused is not so any more. */
export function hideRefusal() {
  element('refused', HTMLElement).hidden = true;
}

/**
 * Resolves after a while.
 * @param {number} ms
 */
export function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/**
 * An element with a text.
 * @param {string} name
 * @param {string} text
 */
export function marked(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
