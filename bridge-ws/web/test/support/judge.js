// The broker's side of a session's order (PROTOCOL.md, "Session"): which frame of a client may follow which.

export class FromClient {
  #phase = 'new';
  #last = 0;
  /** That of the last `Suspended`. */
  #nonce = 0;

  /**
   * A bridge says something, which may end a session and begin another.
   * @param {any} frame
   */
  hear({ kind, nonce }) {
    if (this.#phase === 'over') return;
    if (kind === 'Suspended') {
      this.#phase = 'suspended';
      this.#nonce = nonce;
    } else if (kind === 'Resumed' && this.#phase === 'suspended' && nonce === this.#nonce) {
      this.#phase = 'new';
      this.#last = 0;
    }
  }

  /** Throws the word of malformed.json for the rule that a frame breaks. */
  judge(frame) {
    if (this.#phase === 'over') throw new Error('AfterGoodbye');
    // "`Introduce`, so only a bridge may send it" (PROTOCOL.md, "Visitors").
    if (frame.kind === 'Introduce') throw new Error('Introduced');
    if (frame.kind === 'Goodbye') this.#phase = 'over';
    else if (this.#phase === 'suspended') {
      if (frame.kind !== 'Pong') throw new Error('WhileSuspended');
    } else if (this.#phase === 'new') {
      if (frame.kind !== 'Hello') throw new Error('NotOpen');
      this.#phase = 'open';
    } else if (frame.kind === 'Hello') throw new Error('OpenedTwice');
    const { request } = frame;
    if (request === undefined || (request === 0 && frame.kind === 'Publish')) return;
    if (request <= this.#last) throw new Error('RequestNotAscending');
    this.#last = request;
  }
}
