import t from 'tap';
import integerOnnx from '../../../lib/deploy/exchange/formats/integer-onnx.js';
import qcdq from '../../../lib/deploy/exchange/formats/qcdq.js';
import qdq from '../../../lib/deploy/exchange/formats/qdq.js';
import qonnx from '../../../lib/deploy/exchange/formats/qonnx.js';
import { readModel, writeModel } from '../../../lib/deploy/exchange/onnx/proto.js';
import { decodeOutput } from '../../../lib/deploy/graph/decode.js';
import {
  type GraphNode,
  type IntegerGraph,
  type IntegerTensor,
  integerTensor,
} from '../../../lib/deploy/graph/graph.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomInput } from '../randomGraph.js';
import { withoutQonnx } from './onnx/qonnxOperators.js';
import { realInput, runOnnx } from './onnx/run.js';

const OPTIONS = { name: 'net', opName: 'Quant', fused: false } as const;
const WINDOW = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;
const CONV = { op: 'conv', weightBits: 4, accumulatorBits: null, ...WINDOW, groups: 1, resize: 1 } as const;

/** A network of these nodes; weights count up and down, thresholds lie apart. */
function network(
  input: Partial<IntegerGraph['input']>,
  nodes: readonly GraphNode[],
  tensors: Readonly<Record<string, readonly [shape: readonly number[], values: readonly number[]]>>,
  decode: IntegerGraph['output']['decode'] = [],
): IntegerGraph {
  const held = Object.entries(tensors).map(([name, [shape, values]]): [string, IntegerTensor] => [
    name,
    integerTensor(shape, values),
  ]);
  return {
    name: 'edge',
    input: { name: 'x', shape: [2, 5, 4], low: 0, high: 255, scale: Math.fround(1 / 255), ...input },
    nodes,
    output: { value: nodes[nodes.length - 1].name, decode },
    tensors: new Map(held),
    task: null,
    notes: [],
  };
}

const ramp = (length: number, most: number) => Array.from({ length }, (_, i) => ((i * 5) % (2 * most + 1)) - most);

const weights = [[4, 2, 3, 3], ramp(72, 7)] as const;

/** Steps of the first requantization, falling in every second channel. */
function stairs(low: number, high: number, apart: number, channels = 4) {
  const count = high - low;
  const cuts = Array.from({ length: channels * count }, (_, i) => ((i % count) - count / 2) * apart);
  const sign = Array.from({ length: channels }, (_, c) => (c % 2 === 0 ? 1 : -1));
  return {
    cuts: [[channels, count], cuts.map(Math.round)],
    sign: [[channels], sign],
    base: [[channels], sign.map((s) => (s === 1 ? low : high))],
  } as const;
}

const requantize = (name: string, from: string, low: number, high: number): GraphNode => ({
  ...{ op: 'requantize', mode: 'thresholds', name, inputs: [from], low, high, scale: 1 },
  ...{ thresholds: 'cuts', sign: 'sign', base: 'base' },
});

const conv = (name: string, from: string, key: string, given: object = {}): GraphNode =>
  ({ ...CONV, name, inputs: [from], weights: key, ...given }) as GraphNode;

const CASES: Readonly<Record<string, IntegerGraph>> = {
  'sums as they are, decoded by channel': network({}, [conv('sums', 'x', 'w')], { w: weights }, [
    { op: 'multiply', values: [0.5, 0.25, 2, 1] },
    { op: 'divide', values: [3] },
    { op: 'add', values: [0, 1, -1, 5] },
    { op: 'maximum', values: [0] },
  ]),
  'signed inputs of 4 bits, signed results, dilation, strides and padding': network(
    { low: -8, high: 7 },
    [
      conv('sums', 'x', 'w', { stride: [2, 1], padding: [2, 1], dilation: [2, 1] }),
      requantize('act', 'sums', -8, 7),
      { op: 'maxPool', name: 'pooled', inputs: ['act'], kernel: [2, 2], ...WINDOW, padding: [1, 1] },
      { op: 'sumPool', name: 'both', inputs: ['pooled'], kernel: [1, 2], ...WINDOW },
    ],
    { w: weights, ...stairs(-8, 7, 6) },
  ),
  'narrow inputs, one step only, results that are the network’s': network(
    { low: -3, high: 2 },
    [conv('output', 'x', 'w'), requantize('x/integers', 'output', -1, 0)],
    { w: weights, ...stairs(-1, 0, 1) },
  ),
  'a grid of one number': network({}, [conv('sums', 'x', 'w'), requantize('act', 'sums', 0, 0)], {
    w: weights,
    cuts: [[4, 0], []],
    sign: [[4], [1, 1, 1, 1]],
    base: [[4], [0, 0, 0, 0]],
  }),
  'sums that are pooled, shuffled, joined and added': network(
    {},
    [
      conv('a', 'x', 'w', { padding: [1, 1] }),
      { op: 'maxPool', name: 'b', inputs: ['a'], kernel: [3, 3], ...WINDOW, padding: [1, 1] },
      { op: 'add', name: 'c', inputs: ['a', 'b', 'a'] },
      { op: 'concat', name: 'd', inputs: ['c', 'b'] },
      { op: 'pixelShuffle', name: 'e', inputs: ['d'], factor: 2 },
      { op: 'upsample', name: 'f', inputs: ['e'], factor: 3 },
      { op: 'permute', name: 'g', inputs: ['f'], axes: [0, 3, 1, 2] },
      { op: 'reshape', name: 'h', inputs: ['g'], shape: [6, -1] },
    ],
    { w: weights },
  ),
  'inputs that are pooled, shuffled, joined and added': network(
    { shape: [4, 4, 4], low: -100, high: 100 },
    [
      { op: 'pixelShuffle', name: 'a', inputs: ['x'], factor: 2 },
      { op: 'maxPool', name: 'b', inputs: ['a'], kernel: [2, 2], ...WINDOW },
      { op: 'concat', name: 'c', inputs: ['b', 'b'] },
      { op: 'add', name: 'd', inputs: ['c'] },
      { op: 'sumPool', name: 'e', inputs: ['d'], kernel: null, ...WINDOW },
    ],
    {},
  ),
  'a row of features': network(
    { shape: [5], low: 0, high: 1 },
    [
      { op: 'linear', name: 'y', inputs: ['x'], weights: 'w', weightBits: 8, accumulatorBits: null },
      requantize('z', 'y', 0, 255),
    ],
    { w: [[3, 5], ramp(15, 127)], ...stairs(0, 255, 2, 3) },
    [{ op: 'multiply', values: [0.5, 1, 2] }],
  ),
};

const FORMATS = {
  'integer-onnx': (graph: IntegerGraph) => integerOnnx.encode(graph, OPTIONS) as Uint8Array,
  qcdq: (graph: IntegerGraph) => qcdq.encode(graph, OPTIONS) as Uint8Array,
  qdq: (graph: IntegerGraph) => qdq.encode(graph, OPTIONS) as Uint8Array,
  qonnx: (graph: IntegerGraph) =>
    writeModel(withoutQonnx(readModel(qonnx.encode(graph, OPTIONS) as Uint8Array, 'net.onnx'))),
} as const;

for (const [format, encode] of Object.entries(FORMATS)) {
  t.test(`${format}: shapes, grids and names at their edges`, async (t) => {
    for (const [name, graph] of Object.entries(CASES)) {
      const x = randomInput(graph, format === 'qonnx' ? 1 : 3, 1);
      const y = runReference(graph, x);
      const results = await runOnnx(encode(graph), realInput(graph, x));
      const [[, output]] = [...results];
      t.same(output.shape, y.shape, name);
      t.same(output.data, [...decodeOutput(graph, y)], name);
    }
  });
}

t.test('what a format cannot hold is refused by name', (t) => {
  const message = /x .*0 … 1000.* 8 bits/;
  const wide = network({ high: 1000 }, [conv('sums', 'x', 'w')], { w: weights });
  for (const format of ['integer-onnx', 'qcdq', 'qdq'] as const) {
    t.throws(() => FORMATS[format](wide), { name: 'DataError', message }, format);
  }
  const fine = network({}, [conv('sums', 'x', 'w', { weightBits: 12 })], { w: [[4, 2, 3, 3], ramp(72, 1000)] });
  t.throws(() => FORMATS['integer-onnx'](fine), { name: 'DataError', message: /sums has weights of 12 bits/ });
  t.doesNotThrow(() => FORMATS.qcdq(fine));
  t.throws(() => FORMATS.qcdq({ ...fine, nodes: [] }), { name: 'DataError', message: /no nodes/ });
  t.end();
});
