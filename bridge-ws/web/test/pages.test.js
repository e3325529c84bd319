// The pages keep the rules of the house: what they import, how long they are, and that no markup is made of texts.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const FOLDER = new URL('../pages/', import.meta.url);
const FILES = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(new URL(name, FOLDER), 'utf8') }));
const MODULES = FILES.filter(({ name }) => name.endsWith('.js'));

test('each file is short, and each module opens with what it is', () => {
  assert.ok(MODULES.length > 5);
  for (const { name, text } of MODULES) assert.match(text, /^\/\/ [A-Z][^\n]+(\n\/\/ [^\n]+)*\n/, name);
  for (const { name, text } of FILES) {
    assert.ok(text.split('\n').length <= 400, name);
    for (const line of text.split('\n')) assert.ok(line.length <= 120, `${name}: ${line}`);
  }
});

test('modules import each other and the entry point of the package, which the page has preloaded', () => {
  for (const { name, text } of MODULES) {
    for (const [, from] of text.matchAll(/^(?:import|export) [^']*from '(.+)';$/gm)) {
      assert.match(from, /^(\.\/[a-z]+\.js|\/callboard\/index\.js)$/, name);
    }
  }
});

test('nothing that came over the bus becomes markup or code', () => {
  for (const { name, text } of MODULES) {
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/, name);
  }
});

test('a page loads nothing from elsewhere', () => {
  for (const { name, text } of FILES) assert.doesNotMatch(text, /https?:|url\(|@import (?!\{)/, name);
});
