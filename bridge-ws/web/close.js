// The close codes of PROTOCOL.md and what their ranges advise; never why one was chosen.

/** Why a session ended. The numbers are WebSocket close codes and the codes of `Goodbye` alike. */
export const CloseCode = Object.freeze({
  Finished: 4000,
  Kicked: 4001,
  ShuttingDown: 4100,
  TooSlow: 4101,
  Internal: 4200,
  Overloaded: 4201,
  HandshakeTimeout: 4202,
  Idle: 4203,
  RateExceeded: 4204,
  BadCredential: 4300,
  CredentialExpired: 4301,
  Malformed: 4400,
  OutOfOrder: 4401,
  FrameTooLong: 4402,
  Forbidden: 4403,
});

/** What a code's range tells a client to do. */
export const Return = Object.freeze({
  /** 4000–4099: not unasked. */
  Unasked: 'unasked',
  /** 4100–4199: now, give or take some jitter. */
  AtOnce: 'at-once',
  /** 4200–4299, and every other end of a connection: after the client's own growing pause. */
  Later: 'later',
  /** 4300–4399: with a new credential; without another one, not. */
  WithNewCredential: 'with-new-credential',
  /** 4400–4499: the same would happen again. */
  Never: 'never',
});

/** @typedef {typeof Return[keyof typeof Return]} Advice */

/** @type {Record<number, Advice>} */
const RANGES = { 40: Return.Unasked, 41: Return.AtOnce, 43: Return.WithNewCredential, 44: Return.Never };

/** @type {Map<number, string>} */
const CLASSES = new Map(Object.entries(CloseCode).map(([name, code]) => [
  code,
  name.replace(/\B[A-Z]/g, (letter) => `-${letter}`).toLowerCase(),
]));

/**
 * What the range of a code says.
 * @param {number} code
 * @returns {Advice}
 */
export function adviceOf(code) {
  return RANGES[Math.floor(code / 100)] ?? Return.Later;
}

/**
 * The class of the error that a code becomes: its name in kebab case, or `ended` for a code of a later version.
 * @param {number} code
 */
export function classOf(code) {
  return CLASSES.get(code) ?? 'ended';
}

/**
 * Whether a WebSocket close code is one of the registry's ranges, known or not.
 * @param {number} code
 */
export function isOurs(code) {
  return code >= 4000 && code < 4500;
}
