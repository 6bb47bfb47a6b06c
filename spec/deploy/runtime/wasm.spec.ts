import t from 'tap';
import type { IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import { type IntegerValue, runReference } from '../../../lib/deploy/runtime/reference.js';
import { hasRelaxedProducts } from '../../../lib/deploy/runtime/wasm/engine.js';
import { createWasmRuntime, type WasmRuntimeOptions } from '../../../lib/deploy/runtime/wasm/index.js';
import { type RandomGraphOptions, randomGraph, randomInput } from '../randomGraph.js';

const METHODS = [undefined, 'additions', 'winograd', 'pairs', 'quads', 'windows16', 'windows32'] as const;

/** Every value of a network, in place of its output alone. */
function cutAt(graph: IntegerGraph, value: string): IntegerGraph {
  const end = graph.nodes.findIndex(({ name }) => name === value);
  return { ...graph, nodes: graph.nodes.slice(0, end + 1), output: { value, decode: [] } };
}

async function run(graph: IntegerGraph, x: IntegerValue, options: WasmRuntimeOptions): Promise<IntegerValue> {
  const runtime = await createWasmRuntime(graph, options);
  try {
    return runtime.run(x);
  } finally {
    runtime.dispose();
  }
}

function optionsFor(seed: number): RandomGraphOptions {
  const actBits = 1 + ((seed * 3) % 8);
  const claimed = [null, 8, 12, 16][(seed >> 1) % 4];
  return {
    seed,
    weightBits: 2 + (seed % 7),
    actBits,
    size: [8, 5, 12, 9][seed % 4],
    width: [8, 4, 12, 20][(seed >> 2) % 4],
    zeros: [0, 0.5, 0.9, 0.99][seed % 4],
    // A register must hold one input at least.
    accumulatorBits: claimed !== null && claimed <= actBits ? 16 : claimed,
  };
}

const simds = hasRelaxedProducts() ? (['plain', 'relaxed'] as const) : (['plain'] as const);

t.test('networks with every node: the bits of the reference, whatever the kernels', async (t) => {
  const different = new Set<number>();
  for (let seed = 0; seed < 12; seed++) {
    const options = optionsFor(seed);
    const graph = randomGraph(options);
    const x = randomInput(graph, [1, 3, 16, 17][(seed >> 1) % 4], seed);
    const wanted = runReference(graph, x);
    for (const value of wanted.data) different.add(value);
    for (const simd of simds) {
      for (const method of METHODS) {
        const got = await run(graph, x, method === undefined ? { simd } : { simd, method });
        t.strictSame(got, wanted, `${JSON.stringify(options)} ${x.shape[0]} images, ${simd} ${method}`);
      }
    }
  }
  t.ok(different.size > 20, `${different.size} different results`);
});

t.test('every value of a network, on two threads too', async (t) => {
  for (const seed of [2, 7]) {
    const graph = randomGraph({ ...optionsFor(seed), width: 24, size: 16 });
    const x = randomInput(graph, 5, seed);
    for (const { name } of graph.nodes) {
      const part = cutAt(graph, name);
      const wanted = runReference(part, x);
      for (const threads of [1, 2]) t.strictSame(await run(part, x, { threads }), wanted, `${seed} ${name} ${threads}`);
    }
  }
});
