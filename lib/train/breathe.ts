/** Longest the event loop is kept waiting, in milliseconds. */
const PATIENCE = 20;

let last = 0;

/**
 * Lets the event loop turn if it has waited long enough. Read-backs of a synchronous backend resolve without giving way
 * to anything else; without this, signals, timers and the page would stand still until training ends.
 */
export async function breathe(): Promise<void> {
  const now = performance.now();
  if (now - last < PATIENCE) return;
  await new Promise<void>((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
  last = performance.now();
}
