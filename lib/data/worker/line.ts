/** The workers of Node and of browsers behind one face. */

/** A `Worker` of `node:worker_threads`, as far as it is used here. */
export interface ThreadWorker {
  on(event: string, listener: (value: unknown) => void): unknown;
  postMessage(message: unknown): void;
  terminate(): unknown;
  ref(): void;
  unref(): void;
}

/** A `Worker` of a browser, as far as it is used here. */
export interface PageWorker {
  addEventListener(type: 'message' | 'messageerror' | 'error', listener: (event: object) => void): void;
  postMessage(message: unknown): void;
  terminate(): void;
}

export type AnyWorker = ThreadWorker | PageWorker;

/** A connection to a worker. */
export interface Line {
  send(message: unknown): void;
  /** Whether the worker keeps the process alive; it does not at first, and browsers know no such thing. */
  hold(alive: boolean): void;
  end(): void;
}

/**
 * Listens to a worker.
 *
 * @param fail told what happened if the worker ends or cannot go on: `ended with exit code 1`
 */
export function connect(worker: AnyWorker, receive: (message: unknown) => void, fail: (what: string) => void): Line {
  const garbled = () => fail('sent what cannot be read');
  const line = { send: (message: unknown) => worker.postMessage(message), end: () => void worker.terminate() };
  if ('on' in worker) {
    worker.on('message', receive);
    worker.on('messageerror', garbled);
    worker.on('error', (error) => fail(`failed: ${error instanceof Error ? error.message : error}`));
    worker.on('exit', (code) => fail(`ended with exit code ${code}`));
    worker.unref();
    return { ...line, hold: (alive) => (alive ? worker.ref() : worker.unref()) };
  }
  worker.addEventListener('message', (event) => receive((event as MessageEvent).data));
  worker.addEventListener('messageerror', garbled);
  worker.addEventListener('error', (event) => {
    // A script that cannot be loaded tells no more than that.
    fail('message' in event ? `failed: ${event.message}` : 'cannot be started');
  });
  return { ...line, hold: () => undefined };
}
