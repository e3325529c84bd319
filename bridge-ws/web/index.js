// The door of the package `callboard`: what a page may name, and nothing else.

export { connect } from './client.js';
export { CloseCode } from './close.js';
export { CallboardError } from './error.js';

/**
 * @typedef {import('./client.js').Client} Client
 * @typedef {import('./types.js').Credential} Credential
 * @typedef {import('./types.js').Draft} Draft
 * @typedef {import('./types.js').Gap} Gap
 * @typedef {import('./types.js').GetToken} GetToken
 * @typedef {import('./types.js').Identity} Identity
 * @typedef {import('./types.js').Incoming} Incoming
 * @typedef {import('./types.js').Listener} Listener
 * @typedef {import('./types.js').Message} Message
 * @typedef {import('./types.js').Options} Options
 * @typedef {import('./types.js').Outgoing} Outgoing
 * @typedef {import('./types.js').Position} Position
 * @typedef {import('./types.js').PublishOptions} PublishOptions
 * @typedef {import('./types.js').SessionInfo} SessionInfo
 * @typedef {import('./types.js').State} State
 * @typedef {import('./types.js').SubscribeOptions} SubscribeOptions
 * @typedef {import('./types.js').Transforms} Transforms
 * @typedef {import('./types.js').Unsubscribe} Unsubscribe
 */
