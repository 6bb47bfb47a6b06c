import t from 'tap';
import integerOnnx from '../../../lib/deploy/exchange/formats/integer-onnx.js';
import { decodeOutput } from '../../../lib/deploy/graph/decode.js';
import { isProduct } from '../../../lib/deploy/graph/graph.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { inFloat32, realInput, runOnnx, type Watched } from './onnx/run.js';

const OPTIONS = { name: 'net', opName: 'Quant', fused: false } as const;

t.test('ONNX Runtime gets exactly our accumulators, activations and outputs', async (t) => {
  for (const [seed, options] of [
    [1, {}],
    [2, { size: 11, width: 4 }],
    [3, { actBits: 6, weightBits: 8 }],
    [4, { actBits: 8, weightBits: 2 }],
    [5, { actBits: 1, accumulatorBits: 12 }],
  ] as const) {
    const graph = inFloat32(randomGraph({ seed, ...options }));
    const x = randomInput(graph, 2, seed);
    const expected = new Map<string, readonly number[]>();
    const y = runReference(graph, x, { see: (node, value) => expected.set(node.name, [...value.data]) });
    const types = graph.nodes.flatMap((node): Watched[] => {
      if (isProduct(node)) return [{ name: node.name, type: 'int32' }];
      return node.op === 'requantize' ? [{ name: node.name, type: 'uint8' }] : [];
    });
    const bytes = integerOnnx.encode(graph, OPTIONS) as Uint8Array;
    const results = await runOnnx(bytes, realInput(graph, x), types);
    for (const { name } of types) t.same(results.get(name)?.data, expected.get(name), `${seed}: ${name}`);
    const given = results.get('output');
    t.same(given?.shape, y.shape);
    t.same(given?.data, [...decodeOutput(graph, y)], 'output');
  }
});
