import { asOptions } from '../../../tensor/argument.js';
import { BackendError } from '../../../tensor/errors.js';
import type { IntegerGraph } from '../../graph/graph.js';
import { computeNode, type IntegerValue } from '../reference.js';
import type { PlannedNode, Runtime } from '../runtime.js';
import { Engine, hasRelaxedProducts } from './engine.js';
import { type Plan, planned } from './planner.js';
import type { HostStep, PlanOptions } from './planning.js';

export interface WasmRuntimeOptions extends PlanOptions {
  /** Threads that share the work, this one included. Default 1. */
  readonly threads?: number;
  /** Instructions of the kernels; by default relaxed ones where the platform ships them. Results are the same. */
  readonly simd?: 'plain' | 'relaxed';
}

const MOST_THREADS = 64;

/**
 * Makes a network ready to run in WebAssembly, on threads if asked for; bit for bit as `runReference` does. Its plan is
 * that of the shape that ran last, or of one sample as the graph has it.
 * @throws BackendError if the engine has no relaxed SIMD, or threads cannot run here
 */
export async function createWasmRuntime(graph: IntegerGraph, options: WasmRuntimeOptions = {}): Promise<Runtime> {
  const { threads = 1, simd, method } = asOptions('createWasmRuntime', options);
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new BackendError('wasm', `threads must be 1 … ${MOST_THREADS}; got ${threads}`);
  }
  if (simd !== undefined && simd !== 'plain' && simd !== 'relaxed') {
    throw new BackendError('wasm', `simd must be plain or relaxed; got ${simd}`);
  }
  if (simd === 'relaxed' && !hasRelaxedProducts()) {
    throw new BackendError('wasm', 'there is no relaxed SIMD here that can be relied on (Node has it from 22 on)');
  }
  const engine = new Engine(simd ?? (hasRelaxedProducts() ? 'relaxed' : 'plain'), threads);
  await engine.ready();
  return new WasmRuntime(graph, engine, threads, method === undefined ? {} : { method });
}

class WasmRuntime implements Runtime {
  readonly name: string;
  #shape = '';
  #plan: Plan | null = null;

  constructor(
    readonly graph: IntegerGraph,
    readonly engine: Engine,
    threads: number,
    readonly options: PlanOptions,
  ) {
    this.name = `wasm, ${engine.simd} SIMD, ${threads} thread${threads === 1 ? '' : 's'}`;
  }

  get plan(): readonly PlannedNode[] {
    return (this.#plan ?? this.#planFor([1, ...this.graph.input.shape])).nodes;
  }

  run(x: IntegerValue): IntegerValue {
    const { engine } = this;
    const { input, output, steps } = this.#planFor(x.shape);
    engine.words(input.address, input.size).set(x.data);
    engine.run(input.job);
    for (const step of steps) {
      if ('host' in step) this.#runHere(step);
      else engine.run(step);
    }
    engine.run(output.job);
    return { shape: output.shape, data: Int32Array.from(engine.words(output.address, output.size)) };
  }

  /** What only the reference does. */
  #runHere({ host, inputs, out }: HostStep): void {
    const { engine } = this;
    const values = inputs.map(({ shape, size, address, job }) => {
      engine.run(job);
      return { shape, data: Int32Array.from(engine.words(address, size)) };
    });
    const { data } = computeNode(host, values, this.graph.tensors);
    engine.words(out.address, out.size).set(data);
    engine.run(out.job);
  }

  #planFor(shape: readonly number[]): Plan {
    const key = shape.join('x');
    if (this.#plan !== null && this.#shape === key) return this.#plan;
    this.#plan = null;
    this.engine.reset();
    const plan = planned(this.graph, this.engine, shape, this.options);
    const jobs = plan.steps.flatMap((step) => ('host' in step ? [] : [step]));
    this.engine.prepare(jobs);
    this.#plan = plan;
    this.#shape = key;
    return plan;
  }

  dispose(): void {
    this.engine.close();
  }
}
