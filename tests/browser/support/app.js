// An app of somebody else's: an empty page of its own origin, which uses the bus of a broker. It serves nothing else.

import { createServer } from 'node:http';

const PAGE = '<!doctype html><title>App</title><link rel="icon" href="data:,">';

export class App {
  #server;

  static async start() {
    const app = new App();
    app.#server = createServer((request, response) => {
      // The least that an app must allow its pages to use a bus elsewhere.
      const { broker } = app;
      const bus = `${broker} ${broker.replace('http', 'ws')}`;
      const policy = `default-src 'none'; img-src data:; script-src ${broker}; connect-src ${bus}`;
      response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy }).end(PAGE);
    });
    await new Promise((resolve) => {
      app.#server.listen(0, '127.0.0.1', resolve);
    });
    return app;
  }

  /** The origin of the broker that its pages use. */
  broker = '';

  get origin() {
    return `http://localhost:${this.#server.address().port}`;
  }

  async end() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
