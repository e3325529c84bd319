// Every piece of code in the package's documents runs and does what it says there.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import ts from 'typescript';

import * as callboard from '../index.js';
import { Broker, EPOCH, fakePage } from './support/broker.js';
import { FakeClock, settled } from './support/clock.js';
import { DOCUMENTS, snippet, snippets } from './support/docs.js';
import { promise } from './support/react.js';

test('every piece of code is known here, and where it runs', () => {
  const known = DOCUMENTS.map((document) => [document, snippets(document).map(({ language, name }) => `${language} ${name}`)]);
  assert.deepEqual(Object.fromEntries(known), {
    // Below; the page in tests/browser/test/docs.test.js.
    'README.md': ['js ', 'html ', 'js ', 'js ', 'jsx ', 'js '],
    // Below.
    'docs/react.md': ['jsx ', 'jsx ', 'jsx ', 'jsx ', 'jsx ', 'jsx '],
    'docs/reference.md': [],
    // In tests/browser/test/docs.test.js, with a broker.
    'docs/servers.md': ['jsx arrivals.js', 'jsx page.js', 'js publish.js', 'js listen.js'],
  });
});

test('a page listens and publishes', async () => {
  const { broker, logged } = await runPage(snippet('README.md', 'Ada is at the door'));
  assert.deepEqual(broker.heard.map(({ kind, channel }) => [kind, channel]), [
    // It stopped at once, so nothing was subscribed.
    ['Publish', 'visitor-management/arrival'],
  ]);
  assert.deepEqual([broker.heard[0].payload.text, logged], ['Ada is at the door', []]);
});

test('a page with a token hears what is for its user', async () => {
  const { broker, hello, shown } = await runPage(snippet('README.md', 'identity.key'));
  assert.deepEqual(hello.credential, { strategy: 'apikey', secret: 'token' });
  const [{ kind, channel, start }] = broker.heard;
  assert.deepEqual([kind, channel, start], [
    'Subscribe', 'visitor-management/arrival/user-7', { kind: 'Rewind', messages: 1 },
  ]);
  assert.deepEqual(shown, ['hello']);
});

test('a page has another session when its user changes, and when a visitor wants one', async () => {
  const own = { onLogin: (then) => { own.login = then; }, offerToConnect: (sentence, then) => { own.offered = { sentence, then }; } };
  const code = `${snippet('README.md', 'onLogin(')}\nbus.subscribe('a', () => {}); bus.onError(() => {});`;
  const { broker, clock, hello } = await runPage(code, own);
  assert.equal(hello.credential, null);
  own.login('ada.key');
  await clock.advance(1000);
  assert.equal((await broker.welcome()).credential.secret, 'ada.key');
  broker.goodbye(4001, { sentence: 'somebody ended it' });
  assert.equal(own.offered.sentence, 'somebody ended it');
  own.offered.then();
  await clock.advance(1000);
  await broker.welcome();
  assert.equal(broker.sockets.length, 3);
});

test('a page is answered on a channel of its own', async () => {
  const { broker, logged } = await runPage(snippet('README.md', 'oneOffChannel()'));
  const [subscribe, publish] = broker.heard;
  assert.match(subscribe.channel, /^once\//);
  assert.deepEqual(JSON.parse(publish.payload.json), { report: 7, answerTo: subscribe.channel });
  assert.deepEqual(logged, ['asked at 9']);
});

promise('a component of the README hears its channel', async (scene) => {
  const { Arrivals } = await modules(scene, { 'snippet.js': snippet('README.md', 'callboard/react') });
  await scene.render(scene.h(Arrivals));
  await scene.broker.welcome();
  assert.equal((await scene.broker.subscribed()).channel, 'visitor-management/arrival');
  const { log } = console;
  const logged = [];
  console.log = (line) => logged.push(line);
  try {
    scene.broker.message(11, 'Ada');
  } finally {
    console.log = log;
  }
  assert.deepEqual(logged, ['visitor-management/arrival: Ada']);
});

promise('a component shows what its channel says', async (scene) => {
  const { Arrivals } = await modules(scene, { 'snippet.js': snippet('docs/react.md', 'rewind: 10') });
  await scene.render(scene.h(Arrivals));
  await scene.broker.welcome();
  const { start } = await scene.broker.subscribed();
  assert.deepEqual(start, { kind: 'Rewind', messages: 10 });
  await scene.act(() => scene.broker.message(11, 'Ada'));
  await scene.act(() => scene.broker.message(12, 'Grace'));
  assert.equal(scene.element.innerHTML, '<ul><li>Ada</li><li>Grace</li></ul>');
});

promise('a component shows what a server knows, and reads it again when the bus says so', async (scene) => {
  const { Queue } = await modules(scene, { 'snippet.js': snippet('docs/react.md', '/waiting`') });
  let waiting = 3;
  await withFetch(async (path, { signal }) => {
    assert.ok(signal instanceof AbortSignal);
    return Response.json(path === '/rooms/7/waiting' ? waiting : 0);
  }, async () => {
    await scene.render(scene.h(Queue, { room: 7 }));
    await scene.act(settled);
    assert.equal(scene.text, '3 waiting');
    await scene.broker.welcome();
    assert.equal((await scene.broker.subscribed()).channel, 'queue/7');
    waiting = 4;
    await scene.act(() => scene.broker.message(11, ''));
    await scene.act(settled);
    assert.equal(scene.text, '4 waiting');
    await scene.render(scene.h(Queue, { room: 8 }));
    await scene.act(settled);
    assert.equal(scene.text, '0 waiting');
    await scene.unmount();
  });
});

promise('a component shows how far its job is', async (scene) => {
  const { Report } = await modules(scene, { 'snippet.js': snippet('docs/react.md', 'useOneOffChannel();') });
  const started = [];
  await scene.render(scene.h(Report, { start: (job) => started.push(job) }));
  await scene.broker.welcome();
  const { channel } = await scene.broker.subscribed();
  await scene.act(() => scene.click('button'));
  assert.deepEqual(started, [{ report: 7, answerTo: channel }]);
  await scene.act(() => scene.broker.message(11, { kind: 'json', json: '{"done":40}' }));
  assert.equal(scene.text, '40 %');
});

promise('a component publishes', async (scene) => {
  const { Door } = await modules(scene, { 'snippet.js': onBroker(scene, snippet('docs/react.md', 'bus.publish(')) });
  await scene.render(scene.h(Door, { name: 'Ada' }));
  assert.equal(scene.broker.sockets.length, 0, 'a module that connects opens nothing');
  await scene.act(() => scene.click('button'));
  await scene.broker.welcome();
  const { channel, payload } = scene.broker.hear('Publish');
  assert.deepEqual([channel, payload.text], ['visitor-management/arrival', 'Ada']);
});

promise('a component tells how the connection is doing, and who is there', async (scene) => {
  const { broker, clock } = scene;
  const { Status } = await modules(scene, { 'snippet.js': onBroker(scene, snippet('docs/react.md', 'useIdentity();')) });
  await scene.render(scene.h(Status));
  assert.equal(scene.text, 'Connecting');
  await scene.act(() => broker.welcome({ identity: { strategy: 'jwt', key: 'Ada' } }));
  assert.equal(scene.text, 'Ada');
  await scene.act(() => broker.suspend(1));
  assert.match(scene.text, /^The server is away/);
  await scene.act(() => broker.socket.drop());
  assert.match(scene.text, /^Not connected: the connection was lost/);
  await scene.act(() => scene.click('button'));
  assert.match(scene.text, /^Not connected: the connection was lost/, 'an attempt is no session yet');
  await scene.act(() => broker.welcome({ identity: { strategy: 'jwt', key: 'Ada' } }));
  const bus = callboard.connect(scene.url, scene.options);
  bus.onError(() => {});
  await scene.act(() => broker.goodbye(4001, { sentence: 'somebody ended it' }));
  assert.match(scene.text, /^Not connected: somebody ended it/);
  await scene.act(() => scene.click('button'));
  await scene.act(() => clock.advance(1000));
  await scene.act(() => broker.welcome());
  assert.equal(scene.text, 'anonymous');
  await bus.close();
});

promise('components below a provider use another broker, with a token', async (scene) => {
  const root = snippet('docs/react.md', '<App />').replace('wss://bus.example.com/v1/bus', String(scene.url));
  const app = `import { useMessageBus } from 'callboard/react';
    export const App = () => useMessageBus('a', () => {});`;
  const { WebSocket } = globalThis;
  globalThis.WebSocket = /** @type {any} */ (scene.broker.WebSocket);
  try {
    await withFetch(async (path) => new Response(`of ${path}`), async () => {
      const { Root } = await modules(scene, { 'snippet.js': root, 'app.js': app });
      await scene.renderAlone(scene.h(Root));
      while (scene.broker.sockets.length === 0) await settled();
      const { credential } = await scene.broker.welcome();
      assert.equal(scene.broker.socket.url, scene.url);
      assert.deepEqual(credential, { strategy: 'apikey', secret: 'of /token' });
      assert.equal(scene.broker.hear('Subscribe').channel, 'a');
    });
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

/**
 * Runs what a page does, against a broker that grants everything: what was `heard`, `logged` and `shown`.
 * @param {string} code
 * @param {Record<string, any>} [own] What the page has beside.
 */
async function runPage(code, own = {}) {
  const broker = Object.assign(new Broker(), { heard: [] });
  const clock = new FakeClock();
  const options = { shared: false, clock, page: fakePage(), WebSocket: broker.WebSocket };
  const connect = (url = 'wss://page.example/v1/bus', more = {}) => callboard.connect(url, { ...more, ...options });
  const body = code.replace(/^import \{ connect \} from 'callboard';$/m, '');
  assert.notEqual(body, code);
  const [logged, shown] = [[], []];
  const AsyncFunction = /** @type {FunctionConstructor} */ ((async () => {}).constructor);
  const around = {
    connect, fetchToken: () => 'token', show: (what) => shown.push(what), reload: () => {},
    console: { log: (line) => logged.push(line) }, ...own,
  };
  const running = new AsyncFunction(...Object.keys(around), body)(...Object.values(around));
  const hello = await broker.welcome({ identity: { strategy: 'jwt', key: 'user-7' } });
  await settled();
  const grantAll = () => {
    for (const frame of broker.socket.heard.splice(0)) grant(broker, frame);
  };
  grantAll();
  await running;
  grantAll();
  broker.message(1, 'hello');
  await settled();
  return { broker, clock, hello, logged, shown };
}

function grant(broker, frame) {
  const { kind, request } = frame;
  broker.heard.push(frame);
  const position = { epoch: EPOCH, offset: 0 };
  if (kind === 'Subscribe') broker.ok(request, { kind: 'Subscribed', channel: 1, position, next: 1, recovered: true });
  else if (kind === 'Publish' && request > 0) broker.published(request, 9);
}

let count = 0;

/** A module whose page's own broker is that of the scene. */
function onBroker(scene, code) {
  const options = `globalThis[Symbol.for(${JSON.stringify(String(scene.url))})]`;
  globalThis[Symbol.for(String(scene.url))] = scene.options;
  return code.replace('connect()', `connect(${JSON.stringify(String(scene.url))}, ${options})`);
}

/**
 * What the first of these modules exports, written as a page's own beside the package that the scene has.
 * @param {import('./support/react.js').Scene} scene
 * @param {Record<string, string>} files
 */
async function modules(scene, files) {
  count += 1;
  const folder = join(scene.folder, `snippet-${count}`);
  mkdirSync(folder);
  const compilerOptions = { jsx: ts.JsxEmit.ReactJSX, module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  for (const [name, code] of Object.entries(files)) {
    writeFileSync(join(folder, name), ts.transpileModule(code, { compilerOptions }).outputText);
  }
  const [first] = Object.keys(files);
  return import(pathToFileURL(join(folder, first)).href);
}

/** Runs a body while `fetch` is this. */
async function withFetch(answer, body) {
  const { fetch } = globalThis;
  globalThis.fetch = answer;
  try {
    await body();
  } finally {
    globalThis.fetch = fetch;
  }
}
