// The code in the package's documents that needs a browser or a broker does what it says there, from the page without a
// build to the one that a server renders; bridge-ws/web/test/docs.test.js runs the rest.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

import { snippet } from '../../../bridge-ws/web/test/support/docs.js';
import { Project } from '../support/project.js';
import { promise } from '../support/scene.js';

const CHANNEL = 'visitor-management/arrival';

for (const kind of ['chromium', 'firefox-esr']) {
  promise(kind, 'a page without a build shows what is published', async ({ app, broker, browser }) => {
    const html = elsewhere(snippet('README.md', '<!doctype html>'), broker);
    app.files.set('/arrivals', { type: 'text/html', content: html });
    await broker.publish(CHANNEL, 'Ada');
    const tab = await browser.tab();
    await tab.goto(`${app.origin}/arrivals`);
    await lists(tab, ['Ada']);
    await broker.publish(CHANNEL, 'Grace');
    await lists(tab, ['Ada', 'Grace']);
  });

  promise(kind, 'a page that a server without WebSocket renders goes on in the browser', async (scene) => {
    const { app, broker, browser } = scene;
    const project = await Project.of({
      'arrivals.js': snippet('docs/servers.md', 'arrivals.js'),
      'page.js': snippet('docs/servers.md', 'page.js'),
      'database.js': "export const arrivals = async () => ['Ada'];",
      'server.js': `
        import { renderToString } from 'react-dom/server';
        import { MessageBusProvider } from 'callboard/react';
        import Page from './page.js';
        globalThis.WebSocket = undefined;
        const page = await Page();
        console.log(renderToString(<MessageBusProvider url="${broker.origin}/v1/bus">{page}</MessageBusProvider>));`,
      'client.js': `
        import { hydrateRoot } from 'react-dom/client';
        import { MessageBusProvider } from 'callboard/react';
        import { Arrivals } from './arrivals.js';
        const page = <Arrivals initial={['Ada']} />;
        hydrateRoot(root, <MessageBusProvider url="${broker.origin}/v1/bus">{page}</MessageBusProvider>);`,
    });
    try {
      await project.bundle('server.js', 'node');
      const rendered = (await project.run('bundled-server.js').succeeds()).trim();
      assert.equal(rendered, '<section aria-busy="false"><ul><li>Ada</li></ul></section>');
      const script = '<script src="client.js" type="module"></script>';
      const content = `<!doctype html><title>App</title><div id="root">${rendered}</div>${script}`;
      app.files.set('/arrivals', { type: 'text/html', content });
      app.files.set('/client.js', { type: 'text/javascript', content: await project.bundle('client.js', 'browser') });
      // What came between the two.
      const knows = (names) => {
        app.files.set('/arrivals.json', { type: 'application/json', content: JSON.stringify(names) });
      };
      knows(['Ada', 'Grace']);
      const tab = await browser.tab();
      await tab.goto(`${app.origin}/arrivals`);
      await lists(tab, ['Ada', 'Grace']);
      // While a message may come at any time, the interval is ten times longer than this test may take.
      knows(['Ada', 'Grace', 'Edsger']);
      await tab.waitForSelector('[aria-busy=false]');
      await broker.publish(CHANNEL, 'somebody');
      await lists(tab, ['Ada', 'Grace', 'Edsger']);
    } finally {
      await project.end();
    }
  });
}

promise('chromium', 'a server publishes, and a program listens and answers', async ({ broker }) => {
  const project = await Project.of({
    'publish.js': elsewhere(snippet('docs/servers.md', 'publish.js'), broker),
    'listen.js': elsewhere(snippet('docs/servers.md', 'listen.js'), broker),
  });
  try {
    const env = { CALLBOARD_API_KEY: await broker.key('server') };
    await project.run('publish.js', env).succeeds();
    assert.deepEqual(await broker.subscribe(CHANNEL, 1), ['Ada']);
    const refused = project.run('publish.js', { CALLBOARD_API_KEY: 'nobody' });
    assert.notEqual(await refused.ended, 0);
    assert.match(refused.printed, /not-authenticated/);

    const listening = project.run('listen.js', env);
    await listening.prints(/^listening$/m);
    const answerTo = 'once/0123456789abcdef0123456789abcdef';
    const job = { channel: 'jobs/reports', payload: { kind: 'json', json: { report: 7, answerTo } } };
    const headers = { Authorization: `Bearer ${env.CALLBOARD_API_KEY}`, 'Content-Type': 'application/json' };
    const posted = await fetch(`${broker.origin}/v1/publish`, { method: 'POST', headers, body: JSON.stringify(job) });
    assert.equal(posted.status, 200, await posted.text());
    assert.match(await listening.succeeds(), /^connecting \nonline \nlistening\n/);
    assert.deepEqual(await broker.subscribe(answerTo, 1), ['{"done":100}']);
  } finally {
    await project.end();
  }
});

test('a bundle with the package takes no more than the reference says', async () => {
  const folder = new URL('../../../bridge-ws/web/', import.meta.url);
  const said = /it is (\d+) KB, with the hooks (\d+) KB/.exec(readFileSync(new URL('docs/reference.md', folder), 'utf8'));
  for (const [door, most] of [['index.js', said[1]], ['react.js', said[2]]]) {
    const entryPoints = [new URL(door, folder).pathname];
    const { outputFiles } = await build({
      entryPoints, bundle: true, minify: true, format: 'esm', external: ['react'], write: false, logLevel: 'error',
    });
    const { length } = gzipSync(outputFiles[0].contents, { level: 9 });
    assert.ok(length <= Number(most) * 1000 && length > Number(most) * 900, `${door}: ${length} bytes`);
  }
});

/** Code for a bus at `bus.example.com`, for that of a test. */
function elsewhere(code, broker) {
  const moved = code.replaceAll(/(https|wss):\/\/bus\.example\.com/g, broker.origin);
  assert.notEqual(moved, code);
  return moved;
}

/** Waits until a page lists just these. */
async function lists(tab, wanted) {
  await tab.waitForFunction(
    (wanted) => [...document.querySelectorAll('li')].map((line) => line.textContent).join() === wanted,
    {},
    wanted.join(),
  );
}
