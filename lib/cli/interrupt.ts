import { EXIT } from './usage.js';

/** Turns Ctrl-C into a request to stop; a second one stops at once. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Gives Ctrl-C back its usual meaning. */
  release(): void;
}

/** Milliseconds within which one Ctrl-C may arrive twice: from the terminal, and passed on by `npx`. */
const ECHO = 500;

/** The terminal was closed, or whoever started the process wants it to end. */
const REQUESTS = ['SIGTERM', 'SIGHUP'] as const;

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. Only a second SIGINT is impatience: closing a terminal sends SIGHUP twice.
 * @param onFirst told when the first one arrives
 * @param onSecond told before the process exits at the second SIGINT
 */
export function listenForInterrupt(onFirst: () => void, onSecond: () => void): Interrupt {
  const controller = new AbortController();
  let since = 0;
  const stop = () => {
    if (controller.signal.aborted) return;
    since = performance.now();
    controller.abort();
    onFirst();
  };
  const interrupt = () => {
    if (controller.signal.aborted && performance.now() - since > ECHO) {
      onSecond();
      process.exit(EXIT.interrupted);
    }
    stop();
  };
  process.on('SIGINT', interrupt);
  for (const name of REQUESTS) process.on(name, stop);
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', interrupt);
      for (const name of REQUESTS) process.off(name, stop);
    },
  };
}
