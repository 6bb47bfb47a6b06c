import { asCapable, asFunction } from '../../tensor/argument.js';
import { batches } from '../batches.js';
import { type Batch, type Dataset, factsOf } from '../dataset.js';
import { packError, type Reply, type Request } from './protocol.js';

/** The worker's end of the line: `parentPort` in Node, `self` in a browser. */
export interface BatchPort {
  addEventListener(type: 'message', listener: (event: object) => void): void;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
}

/** Opens a dataset from its description; may tell how far it has come. */
export type OpenDataset<Description> = (
  description: Description,
  onProgress: (done: number, total: number) => void,
) => Dataset | Promise<Dataset>;

/**
 * Makes batches for the thread that started this worker: all that the script of such a worker has to call.
 *
 * @param open called once, with what was given to `startBatchWorker`; what it throws is thrown there
 *
 * @example
 * // glyphs.worker.ts, a worker of a browser
 * serveBatches(self, (options: GlyphOptions) => glyphs(options));
 */
export function serveBatches<Description>(port: BatchPort, open: OpenDataset<Description>): void {
  const reply = (message: Reply, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
  const server = new BatchServer(open as OpenDataset<unknown>, reply);
  asFunction('serveBatches', 'open', open);
  asCapable('serveBatches', 'the port', port, 'addEventListener').addEventListener('message', async (event) => {
    try {
      await server.answer((event as MessageEvent<Request>).data);
    } catch (error) {
      reply({ kind: 'error', error: packError(error) });
    }
  });
}

class BatchServer {
  #dataset: Dataset | null = null;
  /** The epochs under way, by number. */
  readonly #streams = new Map<number, Iterator<Batch, unknown>>();

  constructor(
    readonly open: OpenDataset<unknown>,
    readonly reply: (message: Reply, transfer?: ArrayBuffer[]) => void,
  ) {}

  /** Does not give way before a batch is made and sent, so that answers come in the order of the questions. */
  answer(request: Request): void | Promise<void> {
    switch (request.kind) {
      case 'open':
        return this.#open(request.description);
      case 'start':
        this.#streams.set(request.stream, batches(this.#dataset as Dataset, request.options));
        return;
      case 'next':
        return this.#next(request.stream);
      case 'stop':
        this.#streams.delete(request.stream);
        return;
    }
  }

  async #open(description: unknown): Promise<void> {
    this.#dataset = await this.open(description, (done, total) => this.reply({ kind: 'progress', done, total }));
    this.reply({ kind: 'opened', facts: factsOf(this.#dataset) });
  }

  #next(stream: number): void {
    const next = this.#streams.get(stream)?.next();
    const batch = next && !next.done ? next.value : null;
    // Every array of a batch is the only view of its buffer, so nothing is copied.
    const arrays = batch ? [batch.inputs, batch.targets, batch.indices] : [];
    this.reply(
      { kind: 'batch', batch },
      arrays.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }
}
