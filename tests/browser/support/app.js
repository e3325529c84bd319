// An app of somebody else's: an empty page of its own origin, which uses the bus of a broker, and what a test puts
// there. It passes WebSockets on, so that what it serves may find the bus on its own origin.

import { createServer } from 'node:http';
import { connect } from 'node:net';

const PAGE = '<!doctype html><title>App</title><link rel="icon" href="data:,">';

export class App {
  #server;
  /** The WebSockets that it passes on. @type {Set<import('node:stream').Duplex>} */
  #sockets = new Set();

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
    app.#server.on('upgrade', (request, socket) => app.#passOn(request, socket));
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
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Passes a WebSocket on to the broker, byte by byte. */
  #passOn({ method, url, httpVersion, rawHeaders }, socket) {
    const { hostname, port } = new URL(this.broker);
    const upstream = connect({ host: hostname, port: Number(port), family: 4 });
    const fields = rawHeaders.map((part, place) => (place % 2 === 0 ? `${part}: ` : `${part}\r\n`));
    upstream.write(`${method} ${url} HTTP/${httpVersion}\r\n${fields.join('')}\r\n`);
    socket.pipe(upstream).pipe(socket);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // Who loses one loses the other.
    for (const [one, other] of [[socket, upstream], [upstream, socket]]) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  }
}
