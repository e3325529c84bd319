// A browser's door alone, before a broker elsewhere: a `callboard bridge` as a process, on a free port. It knows nothing
// of pages.

import { Program } from './program.js';

export class Edge {
  /** @type {Program | undefined} */
  #program;
  #port = '';

  /** The origin of its own page. */
  get origin() {
    return `http://localhost:${this.#port}`;
  }

  /** What it printed. */
  get printed() {
    return this.#program?.printed ?? '';
  }

  /**
   * Starts it, with a key of its own.
   * @param {import('./broker.js').Broker} broker
   */
  async start(broker) {
    const { native, dataDir } = broker;
    const env = { CALLBOARD_API_KEY: await broker.key('edge', ['--bridge']) };
    // Where that directory is, so is the certificate that it is to believe.
    const given = ['bridge', '--upstream', native, '--data-dir', dataDir, '--ws-listen', '127.0.0.1:0'];
    this.#program = new Program(given, { env });
    [, this.#port] = await this.#program.prints(/http:\/\/localhost:(\d+)\//);
  }

  /** Ends it. */
  async end() {
    await this.#program?.kill();
  }
}
