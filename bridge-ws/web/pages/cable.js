// A cable with a plug: WebSockets as the browser's own, until somebody pulls it. Then those that are open close, and
// new ones come to nothing, as without a network.

/** @type {Set<WebSocket>} */
const open = new Set();

let isPulled = false;

/** What a client takes for the browser's own constructor. */
export class Cable {
  /**
   * @param {string} url
   * @param {string[]} protocols
   */
  constructor(url, protocols) {
    if (isPulled) return dead();
    const socket = new WebSocket(url, protocols);
    open.add(socket);
    socket.addEventListener('close', () => open.delete(socket));
    return socket;
  }
}

/** Pulls the plug, until the answer is called. */
export function pull() {
  isPulled = true;
  for (const socket of open) socket.close();
  return () => {
    isPulled = false;
  };
}

/** A socket that leads nowhere. */
function dead() {
  /** @type {{ onclose: ((event: object) => void) | null, [name: string]: unknown }} */
  const socket = { binaryType: 'blob', bufferedAmount: 0, protocol: '', onclose: null, send() {}, close() {} };
  setTimeout(() => socket.onclose?.({ code: 1006, reason: '', wasClean: false }));
  return socket;
}
