import { asCapable, asOptions } from '../../tensor/argument.js';
import { A2QError } from '../../tensor/errors.js';
import type { BatchOptions } from '../batches.js';
import type { BatchSource } from '../batchSource.js';
import type { Batch } from '../dataset.js';
import { type AnyWorker, connect, type Line } from './line.js';
import { type Reply, type Request, unpackError } from './protocol.js';

/** Batches that are being made, or wait, beside the one that is in use. */
export const PREFETCH = 2;

export interface OpenOptions {
  /** How far opening the dataset has come. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Gives up opening, by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a dataset in a worker that makes batches ahead of time. `close` ends it; idle, it keeps no process alive.
 *
 * Where there are no workers, training takes the dataset itself and makes each batch when asked for; `madeIn` tells.
 *
 * @param worker just started, on a script that calls `serveBatches`
 * @param description handed to the script's `open`; anything that can be cloned
 * @throws what opening the dataset throws, as the same class; A2QError if the worker cannot run
 *
 * @example
 * const worker = new Worker(new URL('./glyphs.worker.js', import.meta.url), { type: 'module' });
 * const source = await startBatchWorker(worker, { length: 100 });
 * const sizes = [];
 * for await (const batch of source.batches({ batchSize: 32 })) sizes.push(batch.size);
 * sizes; // [32, 32, 32, 4]
 * source.close();
 */
export async function startBatchWorker(
  worker: AnyWorker,
  description: unknown,
  options: OpenOptions = {},
): Promise<BatchSource> {
  const { onProgress = () => undefined, signal } = asOptions('startBatchWorker', options);
  asCapable('startBatchWorker', 'the worker', worker, 'on' in Object(worker) ? 'on' : 'addEventListener');
  const maker = new BatchMaker(worker, onProgress);
  const abort = () => maker.end(signal?.reason);
  signal?.addEventListener('abort', abort);
  try {
    signal?.throwIfAborted();
    const opened = await maker.wait(maker.ask({ kind: 'open', description }));
    if (opened.kind !== 'opened') throw new A2QError('batches', 'this worker does not serve batches');
    const close = () => maker.end(new A2QError('batches', 'the source was closed'));
    return { ...opened.facts, batches: (options) => new PrefetchedBatches(maker, options), close };
  } catch (error) {
    maker.end(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

interface Question {
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** The worker as this thread sees it: questions are answered in order, until it ends. */
class BatchMaker {
  readonly #line: Line;
  readonly #open: Question[] = [];
  #end: { readonly why: unknown } | null = null;
  #waiting = 0;
  #streams = 0;

  constructor(
    worker: AnyWorker,
    readonly onProgress: (done: number, total: number) => void,
  ) {
    const receive = (message: unknown) => this.#receive(message as Reply);
    const fail = (what: string) => this.end(new A2QError('batches', `the worker that makes them ${what}`));
    this.#line = connect(worker, receive, fail);
  }

  /** A number for the batches of one more epoch. */
  nextStream(): number {
    return this.#streams++;
  }

  tell(request: Request): void {
    if (!this.#end) this.#line.send(request);
  }

  ask(request: Request): Promise<Reply> {
    const answer = new Promise<Reply>((resolve, reject) => {
      if (this.#end) return reject(this.#end.why);
      this.#open.push({ resolve, reject });
      this.#line.send(request);
    });
    // Who never waits for an answer need not hear of its failure.
    answer.catch(() => undefined);
    return answer;
  }

  /** Awaits an answer; only meanwhile does the worker keep the process alive. */
  async wait(answer: Promise<Reply>): Promise<Reply> {
    if (this.#waiting++ === 0) this.#line.hold(true);
    try {
      return await answer;
    } finally {
      if (--this.#waiting === 0) this.#line.hold(false);
    }
  }

  /** Ends the worker; open questions, and all that follow, fail for the reason given first. */
  end(why: unknown): void {
    if (this.#end) return;
    this.#end = { why };
    this.#line.end();
    for (const { reject } of this.#open.splice(0)) reject(why);
  }

  #receive(reply: Reply): void {
    if (reply.kind === 'progress') {
      this.onProgress(reply.done, reply.total);
      return;
    }
    const question = this.#open.shift();
    if (reply.kind === 'error') question?.reject(unpackError(reply.error));
    else question?.resolve(reply);
  }
}

/** The batches of one epoch, `PREFETCH` of them asked for in advance. */
class PrefetchedBatches implements AsyncIterableIterator<Batch> {
  readonly #maker: BatchMaker;
  readonly #stream: number;
  readonly #ahead: Promise<Reply>[] = [];
  #ended = false;

  constructor(maker: BatchMaker, options: BatchOptions) {
    this.#maker = maker;
    this.#stream = maker.nextStream();
    maker.tell({ kind: 'start', stream: this.#stream, options });
    for (let i = 0; i < PREFETCH; i++) this.#askAhead();
  }

  async next(): Promise<IteratorResult<Batch>> {
    const answer = this.#ahead.shift();
    if (this.#ended || !answer) return { done: true, value: undefined };
    this.#askAhead();
    try {
      const reply = await this.#maker.wait(answer);
      if (reply.kind === 'batch' && reply.batch) return { done: false, value: reply.batch };
    } catch (error) {
      this.#stop();
      throw error;
    }
    this.#stop();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Batch>> {
    this.#stop();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #askAhead(): void {
    this.#ahead.push(this.#maker.ask({ kind: 'next', stream: this.#stream }));
  }

  #stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ahead.length = 0;
    this.#maker.tell({ kind: 'stop', stream: this.#stream });
  }
}
