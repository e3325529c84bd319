// The entry point of the package `callboard`: what a page may name, and nothing else.

// A browser that loads these files one by one asks for all of them at once, and not for each when it has read another.
import './address.js';
import './backoff.js';
import './bytes.js';
import './channel.js';
import './codec.js';
import './connection.js';
import './credential.js';
import './defaults.js';
import './dial.js';
import './driver.js';
import './limits.js';
import './liveness.js';
import './name.js';
import './named.js';
import './observers.js';
import './options.js';
import './pace.js';
import './page.js';
import './pauses.js';
import './payload.js';
import './publish.js';
import './random.js';
import './recovery.js';
import './session.js';
import './state.js';
import './subscription.js';
import './table.js';
import './timer.js';
import './transform.js';

export { connect } from './client.js';
export { CloseCode } from './close.js';
export { CallboardError } from './error.js';
export { poll } from './poll.js';

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
 * @typedef {import('./poll.js').Poll} Poll
 * @typedef {import('./types.js').PollOptions} PollOptions
 * @typedef {import('./types.js').PollState} PollState
 * @typedef {import('./types.js').Position} Position
 * @typedef {import('./types.js').PublishOptions} PublishOptions
 * @typedef {import('./types.js').Run} Run
 * @typedef {import('./types.js').SessionInfo} SessionInfo
 * @typedef {import('./types.js').State} State
 * @typedef {import('./types.js').SubscribeOptions} SubscribeOptions
 * @typedef {import('./types.js').Transforms} Transforms
 * @typedef {import('./types.js').Unsubscribe} Unsubscribe
 */
