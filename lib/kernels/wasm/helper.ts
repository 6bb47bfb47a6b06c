import type { WorkerStart } from './kernelWorker.js';
import { workerScript } from './worker.generated.js';

/** A worker asked to help. */
export interface Helper {
  /** Settles when it serves, with null, or cannot, with the reason. */
  readonly arrival: Promise<string | null>;
  terminate(): void;
}

/** Milliseconds after which a worker that says nothing is given up. */
const PATIENCE = 10_000;

/** Why helpers cannot run here; null if nothing speaks against them. */
export function whyNoHelpers(): string | null {
  if (typeof SharedArrayBuffer !== 'function') {
    return (
      'memory cannot be shared, as this page is not cross-origin isolated; serve it with the headers ' +
      'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp'
    );
  }
  if (nodeThreads() || typeof Worker === 'function') return null;
  return 'there are no workers (Node has them from 20.16 on)';
}

function nodeThreads(): typeof import('node:worker_threads') | undefined {
  return globalThis.process?.getBuiltinModule?.('node:worker_threads');
}

/** Starts a worker of the platform. */
export function startHelper(start: WorkerStart): Helper {
  const node = nodeThreads();
  return node ? startInNode(node, start) : new PageHelper(start);
}

function startInNode(node: typeof import('node:worker_threads'), start: WorkerStart): Helper {
  // No flags of this process: they may ask for what workers cannot have.
  const worker = new node.Worker(workerScript, { eval: true, execArgv: [] });
  worker.postMessage(start);
  const arrival = new Promise<string | null>((resolve) => {
    // Until it has joined it keeps the process alive, so that `ready` can be awaited.
    const settle = (why: string | null) => {
      worker.unref();
      resolve(why);
    };
    worker.once('message', () => settle(null));
    worker.once('error', ({ message }) => settle(`a worker failed: ${message}`));
    worker.once('exit', () => settle('a worker ended'));
  });
  return { arrival, terminate: () => void worker.terminate() };
}

/** The ways to start a worker in a page, the better first: each may be missing, or forbidden by a policy. */
const WAYS: Readonly<Record<string, () => Worker>> = {
  // Written out, as bundlers look for just this.
  'kernelWorker.js': () => new Worker(new URL('./kernelWorker.js', import.meta.url), { type: 'module' }),
  'a worker from a blob': () => {
    const url = URL.createObjectURL(new Blob([workerScript], { type: 'text/javascript' }));
    return new Worker(url);
  },
};

class PageHelper implements Helper {
  readonly arrival: Promise<string | null>;
  #worker: Worker | null = null;

  constructor(start: WorkerStart) {
    this.arrival = this.#start(start);
  }

  terminate(): void {
    this.#worker?.terminate();
  }

  async #start(start: WorkerStart): Promise<string | null> {
    const reasons: string[] = [];
    for (const [name, make] of Object.entries(WAYS)) {
      const why = await this.#attempt(make, start);
      if (why === null) return null;
      reasons.push(`${name} ${why}`);
    }
    return reasons.join('; ');
  }

  #attempt(make: () => Worker, start: WorkerStart): Promise<string | null> {
    return new Promise((resolve) => {
      try {
        const worker = make();
        this.#worker = worker;
        worker.onmessage = () => resolve(null);
        worker.onerror = ({ message }) => resolve(message ? `failed: ${message}` : 'is missing or forbidden');
        worker.postMessage(start);
        setTimeout(() => resolve('says nothing'), PATIENCE);
      } catch (error) {
        resolve(`cannot be started: ${error instanceof Error ? error.message : error}`);
      }
    });
  }
}
