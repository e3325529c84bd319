// A broker as a process, with both its doors on free ports and a data directory of its own, and the command line that
// speaks with it. It can be killed and started again where it was.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Program } from './program.js';

const ANY_PORT = '127.0.0.1:0';

export class Broker {
  #dataDir;
  /** @type {Program | undefined} */
  #program;
  /** Where its doors are: `{ native, pages }`. */
  #doors = { native: ANY_PORT, pages: ANY_PORT };
  /** @type {Set<Program>} */
  #commands = new Set();
  #printed = '';
  #origins;
  #serve;

  /**
   * @param {string[]} origins Pages that may come in beside its own.
   * @param {string[]} serve More arguments of `callboard serve`.
   */
  constructor(origins, serve) {
    this.#origins = origins;
    this.#serve = serve;
  }

  /** The origin of its own page. */
  get origin() {
    return `http://localhost:${this.#doors.pages.split(':')[1]}`;
  }

  /** Where its native door is. */
  get native() {
    return this.#doors.native;
  }

  /** Where its keys and its certificate are. */
  get dataDir() {
    return this.#dataDir;
  }

  /** What it printed in all its lives. */
  get printed() {
    return this.#printed + (this.#program?.printed ?? '');
  }

  /** Starts it, where it was before if it was. */
  async start() {
    this.#dataDir ??= await mkdtemp(join(tmpdir(), 'callboard-'));
    const { native, pages } = this.#doors;
    const doors = ['--listen', native, '--ws-listen', pages, '--ws-origins', this.#origins.join(',')];
    this.#program = new Program(['serve', '--data-dir', this.#dataDir, ...doors, ...this.#serve]);
    const [, listens] = await this.#program.prints(/callboard:\/\/([\d.:]+)/);
    const [, port] = await this.#program.prints(/http:\/\/localhost:(\d+)\//);
    this.#doors = { native: listens, pages: `127.0.0.1:${port}` };
  }

  /** Kills it without a word (SIGKILL). */
  async kill() {
    await this.#program.kill();
    this.#isOver();
  }

  /** Has it stand still (SIGSTOP): its connections stay, and nobody is at the other end. */
  stop() {
    this.#program.stop();
  }

  /** Has it go on. */
  resume() {
    this.#program.resume();
  }

  /** Has it shut down in order (SIGTERM), and waits until it has. */
  async shutDown() {
    await this.#program.terminates();
    this.#isOver();
  }

  /**
   * `callboard pub`: resolves when the broker has it.
   * @param {string} channel
   * @param {string} payload
   */
  async publish(channel, payload) {
    await this.#run('pub', channel, payload).succeeds();
  }

  /**
   * `callboard pub` of many messages, each a line.
   * @param {string} channel
   * @param {string[]} payloads
   */
  async publishAll(channel, payloads) {
    await this.#run('pub', channel, '-').reads(payloads.map((payload) => `${payload}\n`).join('')).succeeds();
  }

  /**
   * `callboard sub`: resolves to the last `count` messages of a channel when there are so many.
   * @param {string} channel
   * @param {number} count
   */
  async subscribe(channel, count) {
    const printed = await this.#run('sub', '--rewind', `${count}`, '--count', `${count}`, channel).succeeds();
    return printed.split('\n').slice(0, -1);
  }

  /**
   * `callboard token new`: resolves to a new API key.
   * @param {string} name
   * @param {string[]} [rights] What its bearer may do beside.
   */
  async key(name, rights = []) {
    return (await this.#start(['token', 'new', '--data-dir', this.#dataDir, name, ...rights]).succeeds()).trim();
  }

  /** Ends everything that it began. */
  async end() {
    await Promise.allSettled([this.#program, ...this.#commands].map((program) => program?.kill()));
    if (this.#dataDir !== undefined) await rm(this.#dataDir, { recursive: true, force: true });
  }

  #isOver() {
    this.#printed = this.printed;
    this.#program = undefined;
  }

  /** A command that speaks with this broker. */
  #run(command, ...given) {
    const url = `callboard://${this.#doors.native}`;
    return this.#start([command, '--url', url, '--data-dir', this.#dataDir, ...given]);
  }

  /** @param {string[]} given */
  #start(given) {
    const program = new Program(given);
    this.#commands.add(program);
    return program;
  }
}
