import t from 'tap';
import qcdq from '../../../lib/deploy/exchange/formats/qcdq.js';
import qdq from '../../../lib/deploy/exchange/formats/qdq.js';
import { readModel } from '../../../lib/deploy/exchange/onnx/proto.js';
import { decodeOutput } from '../../../lib/deploy/graph/decode.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { inFloat32, realInput, runOnnx, type Watched } from './onnx/run.js';

const OPTIONS = { name: 'net', opName: 'Quant', fused: false } as const;

t.test('ONNX Runtime gets our activations and outputs from floats between integers', async (t) => {
  for (const [name, format] of [
    ['qcdq', qcdq],
    ['qdq', qdq],
  ] as const) {
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
      const type = name === 'qdq' && (options as { actBits?: number }).actBits === undefined ? 'uint4' : 'uint8';
      const watch = graph.nodes.flatMap((node): Watched[] =>
        node.op === 'requantize' && type === 'uint8' ? [{ name: node.name, type }] : [],
      );
      const bytes = format.encode(graph, OPTIONS) as Uint8Array;
      const { opsets } = readModel(bytes, 'net');
      t.equal(opsets.get(''), name === 'qdq' ? 21 : 13);
      const results = await runOnnx(bytes, realInput(graph, x), watch);
      for (const node of watch) t.same(results.get(node.name)?.data, expected.get(node.name), `${seed}: ${node.name}`);
      t.same(results.get('output')?.data, [...decodeOutput(graph, y)], `${name} ${seed}: output`);
    }
  }
});
