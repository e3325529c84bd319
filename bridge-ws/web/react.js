// The door of `callboard/react`: the bus for components. On a server it renders and opens nothing.
'use client';

import {
  createContext, createElement, useContext, useEffect, useInsertionEffect, useMemo, useRef, useState,
  useSyncExternalStore,
} from 'react';

import { connect } from './client.js';
import { badRequest, call, report } from './error.js';
import { textOf } from './payload.js';
import { Poll } from './poll.js';
import { oneOffChannel } from './random.js';
import { ClientSource } from './source.js';
import { IDLE } from './state.js';

/** @import { ReactNode } from 'react' */
/** @import { Client } from './client.js' */
/** @import { CallboardError } from './error.js' */
/** @import { Identity, Message, Options, PollOptions, Run, State, SubscribeOptions } from './types.js' */

/**
 * What a component does with each message. It may return anything, which is ignored; what it throws is reported to the
 * page and hurts nobody else.
 * @callback Callback
 * @param {string} payload JSON comes as its text, bytes as UTF-8; `message.payload` has them as they are.
 * @param {string} channel
 * @param {Message} message
 * @returns {unknown}
 */

/**
 * @typedef {string | null | undefined} ChannelName `null`, `undefined` and `''` are no channel: nothing is subscribed.
 */

/**
 * @typedef {object} ProviderProps
 * @property {string | URL} [url] As of `connect`.
 * @property {Options} [options] As of `connect`. Each session asks the newest `getToken`; another `credential`, or a
 *   `getToken` where there was none, is another connection; of all else the first ones hold.
 * @property {Client} [client] A client of the page's own, in place of a URL; the page closes it, when nobody
 *   below uses it any more: hooks hear nothing of that.
 * @property {ReactNode} [children]
 */

/** The client of whoever stands below no provider: of the broker on the page's own origin. */
const OWN = new ClientSource(() => connect());

const Bus = createContext(OWN);

/**
 * Gives the components below it another broker, or another client. Its connection is opened when one of them needs it.
 * @param {ProviderProps} props
 */
export function MessageBusProvider({ url, options, client, children }) {
  const address = url === undefined ? undefined : String(url);
  // Options that are written in place are other ones each time: the first ones hold, as long as they say who it is.
  const who = JSON.stringify([typeof options?.getToken, options?.credential]);
  const newest = useNewest(options);
  const value = useMemo(() => {
    if (client !== undefined) return ClientSource.of(client);
    if (typeof options?.getToken !== 'function') {
      return new ClientSource(() => connect(address, options), options?.clock);
    }
    const getToken = (/** @type {any} */ why) => /** @type {any} */ (newest.current).getToken(why);
    return new ClientSource(() => connect(address, { ...options, getToken }), options.clock);
  }, [address, client, who]);
  useEffect(() => value.retain(), [value]);
  return createElement(Bus.Provider, { value }, children);
}

/**
 * Calls the component's newest callback with each message of a channel while it is mounted, and never renders it.
 *
 * All components of the page share one connection, and those on one channel one subscription. Another channel, client,
 * `rewind` or `excludeOwn` subscribes anew; another callback, `onGap`, `onLive` or `onEnd` does not. What cannot be
 * subscribed, `onEnd` hears, or the page's error handler.
 * @overload
 * @param {ChannelName} channel
 * @param {Callback} callback
 * @param {SubscribeOptions} [options]
 * @returns {void}
 */
/**
 * The same with a context before it, as older widgets have it: a client of this package is used, all else ignored.
 * @overload
 * @param {unknown} context
 * @param {ChannelName} channel
 * @param {Callback} callback
 * @param {SubscribeOptions} [options]
 * @returns {void}
 */
/** @param {any[]} given */
export function useMessageBus(...given) {
  const isShort = typeof given[1] === 'function' || typeof given[2] !== 'function';
  const [context, channel, callback, chosen] = isShort ? [undefined, ...given] : given;
  const options = /** @type {SubscribeOptions} */ (chosen ?? {});
  const source = useSource(context);
  const newest = useNewest({ callback, options });
  const { rewind, excludeOwn, onEnd } = options;
  const hasOnEnd = onEnd !== undefined;
  useEffect(() => {
    const listener = (/** @type {any} */ _, /** @type {string} */ name, /** @type {Message} */ message) => {
      newest.current.callback(textOf(message), name, message);
    };
    try {
      // Without one, a context and a channel look like a channel and a callback.
      if (typeof newest.current.callback !== 'function') throw badRequest('a callback is a function');
      if (!channel) return undefined;
      return source.client.subscribe(channel, listener, {
        rewind,
        excludeOwn,
        onGap: (gap) => newest.current.options.onGap?.(gap),
        onLive: (isLive) => newest.current.options.onLive?.(isLive),
        onEnd: hasOnEnd ? (error) => newest.current.options.onEnd?.(error) : undefined,
      });
    } catch (error) {
      refuse(error, onEnd);
      return undefined;
    }
  }, [source, channel, rewind, excludeOwn, hasOnEnd]);
}

/**
 * Keeps what a component shows fresh: runs its newest callback at once, when `deps` change, when a message comes on the
 * channel, at a gap, and now and again: every `intervalMs`, ten times more seldom while the bus proves that nothing was
 * missed, never while the page is hidden. Two runs never overlap, also over a change of `deps`, unless one is given up
 * after `timeoutMs` and does not heed its signal.
 *
 * The callback is given `{ signal }`, which aborts when the component is gone or its `deps` have changed. `onEnd` and
 * `onState` are the newest, too; of the other `options` the first ones hold. What is no poll, `onEnd` hears, or the
 * page's error handler.
 * @overload
 * @param {ChannelName} channel
 * @param {number} intervalMs
 * @param {Run} callback
 * @param {readonly unknown[]} [deps]
 * @param {PollOptions} [options]
 * @returns {void}
 */
/**
 * The same with a context before it, as older widgets have it: a client of this package is used, all else ignored.
 * @overload
 * @param {unknown} context
 * @param {ChannelName} channel
 * @param {number} intervalMs
 * @param {Run} callback
 * @param {readonly unknown[]} [deps]
 * @param {PollOptions} [options]
 * @returns {void}
 */
/** @param {any[]} given */
export function useEffectWithPolling(...given) {
  const isShort = typeof given[2] === 'function' || typeof given[3] !== 'function';
  const [context, channel, intervalMs, callback, deps, chosen] = isShort ? [undefined, ...given] : given;
  const options = /** @type {PollOptions} */ (chosen ?? {});
  const source = useSource(context);
  const newest = useNewest({ callback, options });
  const made = useRef(/** @type {Poll | null} */ (null));
  useEffect(() => {
    const { onEnd } = newest.current.options;
    try {
      made.current ??= new Poll((about) => newest.current.callback(about), following(newest));
      made.current.start(channel ? source.client : null, channel || null, intervalMs);
    } catch (error) {
      refuse(error, onEnd);
      // A channel that cannot be subscribed is no reason to show nothing; an interval that is none is.
      if (/** @type {any} */ (error).class !== 'bad-request') made.current?.start(null, null, intervalMs);
    }
    return () => made.current?.stop();
  }, [source, channel, intervalMs, ...deps ?? []]);
}

/**
 * A channel name that nobody else has, for this component as long as it lives: subscribe to it, and tell it to whoever
 * shall answer. `null` on a server and while its page is being hydrated.
 * @returns {string | null}
 */
export function useOneOffChannel() {
  const [name] = useState(() => {
    /** @type {string | undefined} */
    let made;
    return () => (made ??= oneOffChannel());
  });
  return useSyncExternalStore(never, name, nobody);
}

/**
 * How the connection is doing, whoever needs it. It opens none.
 * @returns {State}
 */
export function useConnectionState() {
  const source = useContext(Bus);
  useEffect(() => {
    try {
      // What another part of the page opens is its own connection, too.
      void source.client;
    } catch (error) {
      report(error);
    }
  }, [source]);
  return useSyncExternalStore(source.watch, () => source.state, () => IDLE);
}

/**
 * Whom the broker takes this page for: `null` is anonymous, `undefined` not known yet, as on a server. It opens a
 * session to learn that, and keeps it open while the component is mounted. It stays while there is no session, as
 * `identity` of a client does.
 * @returns {Identity | null | undefined}
 */
export function useIdentity() {
  const source = useContext(Bus);
  useEffect(() => {
    try {
      return source.hold();
    } catch (error) {
      report(error);
      return undefined;
    }
  }, [source]);
  return useSyncExternalStore(source.watch, () => source.identity, () => undefined);
}

/**
 * @param {any} context
 * @returns {ClientSource}
 */
function useSource(context) {
  const provided = useContext(Bus);
  return isClient(context) ? ClientSource.of(context) : provided;
}

/**
 * A client, perhaps of another copy of this package.
 * @param {any} context
 * @returns {context is Client}
 */
function isClient(context) {
  const methods = [context?.subscribe, context?.publishAcked, context?.onState, context?.hold];
  return methods.every((method) => typeof method === 'function');
}

/**
 * What was rendered last and is shown: what a render that is given up had, nobody calls.
 * @template T
 * @param {T} value
 */
function useNewest(value) {
  const newest = useRef(value);
  // Before every other effect, so that those of the same render have it.
  useInsertionEffect(() => {
    newest.current = value;
  });
  return newest;
}

/**
 * The options of a poll as they were first, but that what hears of it is the newest.
 * @param {{ current: { options: PollOptions } }} newest
 * @returns {PollOptions}
 */
function following(newest) {
  return {
    ...newest.current.options,
    // Without one, the client's `onError` hears it.
    get onEnd() {
      if (newest.current.options.onEnd === undefined) return undefined;
      return (/** @type {CallboardError} */ error) => newest.current.options.onEnd?.(error);
    },
    onState: (state) => newest.current.options.onState?.(state),
  };
}

/**
 * @param {any} error
 * @param {((error: CallboardError) => unknown) | undefined} onEnd
 */
function refuse(error, onEnd) {
  if (onEnd === undefined) report(error);
  else call(onEnd, error);
}

function never() {
  return () => {};
}

function nobody() {
  return null;
}
