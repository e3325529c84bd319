// The package is what it says: its files, its README, and the rules of the house for them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import * as callboard from '../index.js';
import { CloseCode, classOf } from '../close.js';
import { VERSION } from '../defaults.js';
import { DOCUMENTS } from './support/docs.js';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const MODULES = readdirSync(FOLDER).filter((name) => name.endsWith('.js'));
const DOORS = ['index.js', 'react.js'];
const manifest = JSON.parse(read('package.json'));

function read(name) {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

test('a package has the modules, their types, the documents and the licences, and nothing else', () => {
  const command = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const said = execFileSync('npm', command, { cwd: FOLDER, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [{ files }] = JSON.parse(said);
  const packed = files.map(({ path }) => path);
  // Types and licences are made at `prepack`, so that a checkout may have them or not.
  const made = /^(types\/[a-z]+\.d\.ts|LICENSE-(MIT|APACHE))$/;
  assert.deepEqual(packed.filter((path) => !made.test(path)).sort(), [...DOCUMENTS, 'package.json', ...MODULES].sort());
});

test('the package names its doors, needs nothing but React for one of them, and knows its version', async () => {
  assert.deepEqual(Object.keys(manifest.exports), ['.', './react', './package.json']);
  assert.equal(manifest.exports['.'].default, './index.js');
  assert.equal(manifest.exports['./react'].default, './react.js');
  assert.deepEqual([manifest.peerDependencies, manifest.peerDependenciesMeta], [
    { react: '^18.0.0 || ^19.0.0' }, { react: { optional: true } },
  ]);
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.version, VERSION);
  assert.deepEqual(Object.keys(callboard).sort(), ['CallboardError', 'CloseCode', 'connect', 'poll']);
  assert.deepEqual(Object.keys(await import('../react.js')).sort(), [
    'MessageBusProvider', 'useConnectionState', 'useEffectWithPolling', 'useIdentity', 'useMessageBus', 'useOneOffChannel',
  ]);
});

test('each module opens with what it is, and is short', () => {
  for (const name of MODULES) {
    const text = read(name);
    assert.match(text, /^\/\/ [A-Z][^\n]+(\n\/\/ [^\n]+)*\n/, name);
    assert.ok(text.split('\n').length <= 400, name);
    for (const line of text.split('\n')) assert.ok(line.length <= 120, `${name}: ${line}`);
  }
});

test('the reference has every class of error that a page may meet, and no other one', () => {
  const [, table] = read('docs/reference.md').split('## What can go wrong');
  const rows = [...table.split('\n## ')[0].matchAll(/^\| (`.+?) \|/gm)].flatMap(([, names]) => [...names.matchAll(/`([a-z-]+)`/g)]);
  const listed = new Set(rows.map(([, name]) => name).filter((name) => name !== 'class'));
  const made = MODULES.flatMap((name) => [...read(name).matchAll(/CallboardError\([^,]+, '([a-z-]+)'/g)].map(([, name]) => name));
  const closing = Object.values(CloseCode).map(classOf);
  const [, failures] = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8').split('## Failures');
  const failing = [...failures.split('\n## ')[0].matchAll(/^\| \d+ \| `([a-z-]+)`/gm)].map(([, name]) => name);
  // What only services are told, and what this package never asks for.
  const nobodys = ['not-found', 'not-subscribed', 'method-not-allowed', 'not-implemented'];
  const wanted = new Set([...made, ...closing, ...failing.filter((name) => !nobodys.includes(name))]);
  assert.deepEqual([...listed].sort(), [...wanted].sort());
});

test('the package is as small as the reference says', () => {
  const [, most] = /less than (\d+) KB/.exec(read('docs/reference.md')) ?? [];
  const alone = MODULES.filter((name) => !['react.js', 'source.js', 'types.js'].includes(name));
  const bytes = alone.reduce((sum, name) => sum + gzipSync(read(name)).length, 0);
  assert.ok(bytes <= Number(most) * 1000 && bytes > Number(most) * 900, `${bytes} bytes`);
});

test('modules import each other by relative names with extensions, and never in a circle', () => {
  const imports = new Map(MODULES.map((name) => [
    name,
    [...read(name).matchAll(/^(?:import|export) .*from '(.+)';$/gm)].map(([, from]) => {
      assert.match(from, /^\.\/[a-z]+\.js$/, name);
      return from.slice(2);
    }),
  ]));
  const visit = (name, path) => {
    assert.ok(!path.includes(name), [...path, name].join(' → '));
    for (const next of imports.get(name)) visit(next, [...path, name]);
  };
  for (const door of DOORS) visit(door, []);
});

test('the door names every module that runs without React, so that a browser asks for all of them at once', () => {
  const named = [...read('index.js').matchAll(/^(?:import|export) .*'\.\/(.+)';$/gm)].map(([, name]) => name);
  assert.deepEqual(named.sort(), MODULES.filter((name) => ![...DOORS, 'source.js', 'types.js'].includes(name)));
});
