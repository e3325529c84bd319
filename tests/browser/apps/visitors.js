// An app of React components on the bus of its own origin, which a test shows by name; it stands below StrictMode.

import { StrictMode, createElement, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { useConnectionState, useEffectWithPolling, useMessageBus, useOneOffChannel } from 'callboard/react';

/** What its components heard, in order. */
globalThis.heard = [];
/** The reasons of the gaps that they were told. */
globalThis.gaps = [];
/** The channels whose messages come. */
globalThis.live = new Set();
/** How many times each channel was polled. */
globalThis.polled = {};

/** The hook as the seed prints it. */
function Arrivals() {
  useMessageBus('visitor-arrival',(payload,channel)=>{
      //read the payload and react to it
      globalThis.heard.push({ payload, channel });
  });
  return null;
}

/** Hears a channel, and whether it is live. */
function Listener({ channel }) {
  useMessageBus(channel, (payload) => globalThis.heard.push(payload), {
    onGap: ({ why }) => globalThis.gaps.push(why),
    onLive: (isLive) => (isLive ? globalThis.live.add(channel) : globalThis.live.delete(channel)),
  });
  return null;
}

/** Counts by a callback that knows what was rendered last. */
function Counter({ channel }) {
  const [count, setCount] = useState(0);
  useMessageBus(channel, () => setCount(count + 1));
  return createElement('output', { id: 'count' }, count);
}

/** Waits for an answer on a channel of its own, whose name it shows. */
function Job() {
  const channel = useOneOffChannel();
  return createElement('output', { id: 'job' }, channel, createElement(Listener, { channel }));
}

/** Polls so seldom that only the bus makes it run again. */
function Board({ channel }) {
  useEffectWithPolling({ userKey: 'u1' }, channel, 3_600_000, async () => {
    globalThis.polled[channel] = (globalThis.polled[channel] ?? 0) + 1;
  }, []);
  return null;
}

/** Says how the connection is doing. */
function Line() {
  return createElement('output', { id: 'line' }, useConnectionState().name);
}

const COMPONENTS = { Arrivals, Board, Counter, Job, Line, Listener };
const root = createRoot(document.body.appendChild(document.createElement('main')));

/**
 * Shows these components and no other ones.
 * @param {[name: keyof typeof COMPONENTS, props?: object][]} components
 */
globalThis.show = (components) => {
  const elements = components.map(([name, props]) => {
    return createElement(COMPONENTS[name], { key: name + JSON.stringify(props), ...props });
  });
  root.render(createElement(StrictMode, null, elements));
};
