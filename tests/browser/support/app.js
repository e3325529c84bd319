// An app of somebody else's: an empty page of its own origin, which uses the bus of a broker, and what a test puts
// there.

import { createServer } from 'node:http';

const PAGE = '<!doctype html><title>App</title><link rel="icon" href="data:,">';

export class App {
  #server;

  static async start() {
    const app = new App();
    app.#server = createServer((request, response) => {
      const own = app.files.get(request.url);
      if (own !== undefined) return void response.writeHead(200, { 'Content-Type': own.type }).end(own.content);
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

  /** What a test has its origin serve, by paths. @type {Map<string, { type: string, content: string }>} */
  files = new Map();

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
