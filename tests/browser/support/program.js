// The program `callboard`, or another, as a child process: what it prints, and how it ends. It knows none of their
// commands.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { soon } from './deadline.js';

const BINARY = process.env.CALLBOARD_BIN ?? fileURLToPath(new URL('../../../target/debug/callboard', import.meta.url));

/** What a developer has set for himself is not meant for brokers of tests. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CALLBOARD_')));

export class Program {
  /** What it printed so far, to both streams in the order of arrival. */
  printed = '';
  /** The same of standard output alone. */
  out = '';
  /** Resolves to the exit status, or to the name of the signal that ended it. */
  ended;
  #child;
  #command;
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /**
   * @param {string[]} given Its arguments.
   * @param {{ binary?: string, cwd?: string, env?: Record<string, string> }} [about] Another program, and what it has
   *   around it.
   */
  constructor(given, { binary = BINARY, cwd, env = {} } = {}) {
    this.#command = `${binary} ${given.join(' ')}`;
    this.#child = spawn(binary, given, { cwd, env: { ...ENVIRONMENT, ...env } });
    for (const stream of ['stdout', 'stderr']) {
      this.#child[stream].setEncoding('utf8').on('data', (text) => {
        this.printed += text;
        if (stream === 'stdout') this.out += text;
        this.#look();
      });
    }
    // A child that ended reads no more; that it ended is told below.
    this.#child.stdin.on('error', () => {});
    this.ended = new Promise((resolve, reject) => {
      const fail = (cause) => reject(new Error(`${binary} does not start; CALLBOARD_BIN names it`, { cause }));
      this.#child.on('error', fail);
      this.#child.on('close', (status, signal) => resolve(signal ?? status));
    });
    this.ended.then(() => this.#look(), () => {});
  }

  /**
   * Waits until it printed what matches to standard output.
   * @param {RegExp} pattern
   */
  async prints(pattern) {
    const found = new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(this.out);
        if (match !== null) resolve(match);
        return match !== null;
      };
      if (!look()) this.#waiting.add(() => look() && this.#waiting.clear());
      this.ended.then((how) => reject(this.#error(`ended (${how}) before it printed ${pattern}`)), reject);
    });
    return soon(`what matches ${pattern}`, found);
  }

  /** Waits until it has ended well, and gives what it printed to standard output. */
  async succeeds() {
    const how = await soon(`the end of ${this.#command}`, this.ended);
    if (how !== 0) throw this.#error(`ended with ${how}`);
    return this.out;
  }

  /**
   * Gives it the whole of its standard input.
   * @param {string} text
   */
  reads(text) {
    this.#child.stdin.end(text);
    return this;
  }

  /** Asks it to end, and waits until it has ended well. */
  async terminates() {
    this.#child.kill('SIGTERM');
    await this.succeeds();
  }

  /** Has it stand still. */
  stop() {
    this.#child.kill('SIGSTOP');
  }

  /** Has it go on. */
  resume() {
    this.#child.kill('SIGCONT');
  }

  /** Ends it without a word. */
  async kill() {
    this.#child.kill('SIGKILL');
    await soon('the end of a process that was killed', this.ended);
  }

  #look() {
    for (const look of [...this.#waiting]) look();
  }

  /** @param {string} what */
  #error(what) {
    return new Error(`${this.#command} ${what}; it printed:\n${this.printed}`);
  }
}
