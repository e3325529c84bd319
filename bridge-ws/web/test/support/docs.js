// The code in the package's documents, block by block; it runs none of it.

import { readFileSync, readdirSync } from 'node:fs';

const ROOT = new URL('../../', import.meta.url);

/** Every document that the package has. */
export const DOCUMENTS = ['README.md', ...readdirSync(new URL('docs/', ROOT)).sort().map((name) => `docs/${name}`)];

/**
 * The blocks of code of a document: the language, a name if it says one, and the code.
 * @param {string} document
 */
export function snippets(document) {
  const text = readFileSync(new URL(document, ROOT), 'utf8');
  return [...text.matchAll(/^```(\w*) ?(.*)\n([^]*?)^```$/gm)].map(([, language, name, code]) => ({ language, name, code }));
}

/**
 * The one block that has this name, or says this.
 * @param {string} document
 * @param {string} words
 */
export function snippet(document, words) {
  const all = snippets(document);
  const named = all.filter(({ name }) => name === words);
  const found = named.length > 0 ? named : all.filter(({ code }) => code.includes(words));
  if (found.length !== 1) throw new Error(`${document} has ${found.length} blocks with ${words}`);
  return found[0].code;
}
