// The package is what it says: its files, its README, and the rules of the house for them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as callboard from '../index.js';
import { VERSION } from '../defaults.js';
import { Broker, EPOCH, fakePage } from './support/broker.js';
import { FakeClock, settled } from './support/clock.js';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const MODULES = readdirSync(FOLDER).filter((name) => name.endsWith('.js'));
const DOORS = ['index.js', 'react.js'];
const manifest = JSON.parse(read('package.json'));

function read(name) {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

test('a package has the modules, their types, the licences and what names them, and nothing else', () => {
  const command = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const said = execFileSync('npm', command, { cwd: FOLDER, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [{ files }] = JSON.parse(said);
  const packed = files.map(({ path }) => path);
  // Types and licences are made at `prepack`, so that a checkout may have them or not.
  const made = /^(types\/[a-z]+\.d\.ts|LICENSE-(MIT|APACHE))$/;
  assert.deepEqual(packed.filter((path) => !made.test(path)).sort(), ['README.md', 'package.json', ...MODULES].sort());
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

test('the snippets of the README run', async () => {
  const snippets = [...read('README.md').matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code);
  assert.equal(snippets.length, 3);
  for (const code of snippets) await run(code);
});

/** Runs a snippet against a broker that grants everything. */
async function run(code) {
  const broker = new Broker();
  const options = { shared: false, clock: new FakeClock(), page: fakePage(), WebSocket: broker.WebSocket };
  const connect = (url = 'wss://page.example/v1/bus', more = {}) => callboard.connect(url, { ...more, ...options });
  const body = code.replace(/^import \{ connect \} from 'callboard';$/m, '');
  assert.notEqual(body, code);
  const done = [];
  const AsyncFunction = /** @type {FunctionConstructor} */ ((async () => {}).constructor);
  const parameters = ['connect', 'fetchToken', 'show', 'reload', 'console'];
  const page = new AsyncFunction(...parameters, body);
  const running = page(connect, () => 'key', (shown) => done.push(shown), () => {}, { log: (line) => done.push(line) });
  await broker.welcome({ identity: { strategy: 'jwt', key: 'user-7' } });
  await settled();
  for (const frame of broker.socket.heard.splice(0)) grant(broker, frame);
  await running;
  for (const frame of broker.socket.heard.splice(0)) grant(broker, frame);
  broker.message(1, 'hello');
  await settled();
}

function grant(broker, { kind, request }) {
  const position = { epoch: EPOCH, offset: 0 };
  if (kind === 'Subscribe') broker.ok(request, { kind: 'Subscribed', channel: 1, position, next: 1, recovered: true });
  else if (kind === 'Publish' && request > 0) broker.published(request, 9);
}
