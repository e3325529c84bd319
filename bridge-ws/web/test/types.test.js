// The types that are packed with the package say to a program in TypeScript what it may do, and hold without being skipped.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(FOLDER, 'node_modules/typescript/bin/tsc');

const PROGRAM = `
import { CallboardError, CloseCode, connect, poll, type Gap, type Message, type State } from 'callboard';
import { MessageBusProvider, useConnectionState, useEffectWithPolling, useIdentity, useMessageBus } from 'callboard/react';

declare const ws: new (url: string | URL, protocols?: string | string[]) => { send(data: Uint8Array): void };

const bus = connect('wss://bus.example.com', { WebSocket: ws, getToken: async ({ refused }) => refused?.class ?? null });
const stop = bus.subscribe('a', (payload, channel, message: Message) => [payload.any, channel.length, message.key], {
  rewind: 1, onGap: (gap: Gap) => gap.from.offset + gap.to.epoch, onEnd: (error) => error.sentence,
});
export const place: Promise<number> = stop.ready.then(({ offset }) => offset);
export const state: State = (bus.reconnect(), bus.state);
export const error: CallboardError | null = state.name === 'waiting' ? state.reason : null;
export const polling = poll(bus, 'a', CloseCode.Kicked, async ({ signal }) => fetch('/', { signal }));

export function Component() {
  useMessageBus('a', (payload, channel) => payload.length + channel.length, { rewind: 1 });
  useMessageBus({ userKey: 'u1' }, null, () => {});
  useEffectWithPolling('a', 1000, async () => {}, []);
  return MessageBusProvider({ client: bus, children: useIdentity()?.key ?? useConnectionState().name });
}

// @ts-expect-error No option has this name.
connect('wss://bus.example.com', { token: 'x' });
// @ts-expect-error A listener is a function.
bus.subscribe('a', 'listener');
// @ts-expect-error There is no such state.
state.name === 'offline';
// @ts-expect-error Another module of the package is nobody's to import.
export { Driver } from 'callboard/driver.js';
`;

test('a program in TypeScript has the types of what it imports', (t) => {
  // Below what is installed, so that the types of React are found as in any project.
  const project = mkdtempSync(join(FOLDER, 'node_modules', '.types-'));
  t.after(() => rmSync(project, { recursive: true }));
  const place = join(project, 'node_modules', 'callboard');
  mkdirSync(place, { recursive: true });
  cpSync(join(FOLDER, 'package.json'), join(place, 'package.json'));
  // As `prepack` makes them.
  compile('--project', join(FOLDER, 'tsconfig.json'), '--noEmit', 'false', '--declaration', '--emitDeclarationOnly',
    '--outDir', join(place, 'types'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'program.ts'), PROGRAM);
  // As Node does it, as bundlers do, and as both did once, which many projects still have.
  for (const [module, resolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler'], ['esnext', 'node10']]) {
    compile('--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--module', module,
      '--moduleResolution', resolution, join(project, 'program.ts'));
  }
});

/** @param {string[]} given */
function compile(...given) {
  const { status, stdout } = spawnSync(process.execPath, [TSC, ...given], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
}
