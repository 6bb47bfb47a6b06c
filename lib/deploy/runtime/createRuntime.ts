import { asChoice, asInstance, asOptions } from '../../tensor/argument.js';
import { BackendError, DataError, formatShape } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import { asGraph } from '../graph/argument.js';
import { checkGraph } from '../graph/check.js';
import type { IntegerGraph } from '../graph/graph.js';
import { inferShapes } from '../graph/shapes.js';
import { type IntegerValue, runReference } from './reference.js';
import type { Runtime } from './runtime.js';
import { createWasmRuntime } from './wasm/index.js';

/** What can run a network. */
export type EngineName = 'wasm' | 'reference';

/** How a network is to run. */
export interface RuntimeOptions {
  /** Nothing else runs in place of the one asked for. Default `wasm`. */
  readonly engine?: EngineName;
  /** Threads that share the work of the engine `wasm`, the calling one included. Default 1. */
  readonly threads?: number;
  /** Instructions of the engine `wasm`; by default relaxed ones where the platform has them. */
  readonly simd?: 'plain' | 'relaxed';
}

type Start = (graph: IntegerGraph, options: RuntimeOptions) => Promise<Runtime>;

const ENGINES: Readonly<Record<EngineName, Start>> = {
  reference: async (graph) => ({
    ...{ name: 'reference', graph },
    plan: graph.nodes.map(({ name }) => ({ node: name, kernel: 'reference', threads: 1 })),
    run: (x) => runReference(graph, x),
    dispose: () => undefined,
  }),
  wasm: createWasmRuntime,
};

/** The engines by name. */
export const ENGINE_NAMES: readonly EngineName[] = Object.keys(ENGINES) as EngineName[];

/**
 * Makes a network ready to run. What it is given is checked here, so that engines need not: the network once, inputs at
 * each run.
 * @throws DataError if the graph is none, BackendError if the engine cannot run here
 */
export async function createRuntime(graph: IntegerGraph, options: RuntimeOptions = {}): Promise<Runtime> {
  const { engine = 'wasm' } = asOptions('createRuntime', options);
  asChoice('createRuntime', 'engine', engine, ENGINE_NAMES);
  checkGraph(asGraph('createRuntime', graph), 'the network');
  const runtime = await ENGINES[engine](graph, options);
  let disposed = false;
  return {
    ...{ name: runtime.name, graph },
    get plan() {
      return runtime.plan;
    },
    run(x) {
      if (disposed) throw new BackendError(runtime.name, 'this runtime has been disposed');
      return runtime.run(checkInput(graph, x));
    },
    dispose() {
      if (!disposed) runtime.dispose();
      disposed = true;
    },
  };
}

/** @throws DataError unless these are integers of the network's input grid, ArgumentError for what is no such value */
function checkInput(graph: IntegerGraph, x: IntegerValue): IntegerValue {
  const { shape, data } = asOptions('run', x, 'the input');
  asInstance('run', 'the data of the input', data, Int32Array);
  inferShapes(graph, shape);
  if (sizeOf(shape) !== data.length) {
    throw new DataError(
      'run',
      `an input of shape ${formatShape(shape)} has ${sizeOf(shape)} integers; got ${data.length}`,
    );
  }
  const { low, high } = graph.input;
  for (let i = 0; i < data.length; i++) {
    if (data[i] < low || data[i] > high) {
      throw new DataError('run', `inputs are integers of ${low} … ${high}; got ${data[i]} at ${i}`);
    }
  }
  return x;
}
