// Deadlines in place of pauses: what is waited for comes, or the test says what did not. Nothing here makes it come.

/** Far more than anything takes on a busy machine, so that what passes it never comes. */
export const DEADLINE_MS = 60_000;

/**
 * What a promise resolves to, or an error that names what did not come.
 * @template T
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function soon(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
