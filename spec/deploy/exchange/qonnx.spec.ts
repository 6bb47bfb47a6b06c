import t from 'tap';
import qonnx from '../../../lib/deploy/exchange/formats/qonnx.js';
import { numbersOf, type OnnxModel, type OnnxNode } from '../../../lib/deploy/exchange/onnx/model.js';
import { readModel, writeModel } from '../../../lib/deploy/exchange/onnx/proto.js';
import { decodeOutput } from '../../../lib/deploy/graph/decode.js';
import { type IntegerGraph, integerTensor } from '../../../lib/deploy/graph/graph.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { randomGraph, randomInput } from '../randomGraph.js';
import { withoutQonnx } from './onnx/qonnxOperators.js';
import { inFloat32, realInput, runOnnx } from './onnx/run.js';

const OPTIONS = { name: 'net', opName: 'Quant', fused: false } as const;
const DOMAIN = 'qonnx.custom_op.general';

const encode = (graph: IntegerGraph, options: Parameters<typeof qonnx.encode>[1] = OPTIONS): OnnxModel =>
  readModel(qonnx.encode(graph, options) as Uint8Array, 'net.onnx');

const attributes = (node: OnnxNode) => Object.fromEntries([...node.attributes].map(([key, { value }]) => [key, value]));

t.test('operators, domain, attributes and data types are those of the specification', (t) => {
  const graph = randomGraph({ seed: 1 });
  const { opsets, graph: written } = encode(graph);
  t.same(
    [...opsets],
    [
      ['', 13],
      [DOMAIN, 1],
    ],
  );
  t.same(written.inputs, [{ name: 'input', type: 'float32', shape: [1, 3, 8, 8] }]);
  t.same(written.outputs, [{ name: 'output', type: 'float32', shape: [1, 10] }]);
  const numbers = (name: string) => {
    const tensor = written.initializers.get(name);
    return tensor === undefined ? [] : [...numbersOf(tensor)];
  };
  const custom = written.nodes.filter(({ domain }) => domain !== '');
  t.ok(custom.every(({ domain }) => domain === DOMAIN));
  const quants = custom.filter(({ op }) => op === 'Quant');
  const products = graph.nodes.filter(({ op }) => op === 'conv' || op === 'linear');
  t.equal(quants.length, products.length + 1, 'the input and each layer’s weights');
  const [scaled] = written.nodes.filter(({ inputs }) => inputs[0] === 'input');
  t.match(scaled, { op: 'Div', domain: '' });
  t.same(numbers(scaled.inputs[1]), [Math.fround(1 / 255)], 'the scale of the input');
  for (const node of quants) {
    const isInput = node.inputs[0] === scaled.name;
    const [, ...parameters] = node.inputs;
    t.same(Object.keys(attributes(node)).sort(), ['narrow', 'rounding_mode', 'signed']);
    t.equal(attributes(node)['rounding_mode'], 'ROUND');
    t.equal(attributes(node)['signed'], isInput ? 0 : 1);
    const [scale, zero, bits] = parameters.map(numbers);
    t.same([scale, zero], [[1], [0]], node.name);
    t.ok(
      isInput || node.inputs[0] === 'conv1.weight' || node.inputs[0] === 'fc.weight' ? bits[0] === 8 : bits[0] === 4,
    );
  }
  const steps = custom.filter(({ op }) => op === 'MultiThreshold');
  t.same(
    steps.map(({ name }) => name),
    graph.nodes.filter(({ op }) => op === 'requantize').map(({ name }) => name),
  );
  for (const node of steps) {
    t.same(attributes(node), { out_dtype: 'UINT4', out_scale: 1, out_bias: 0, data_layout: 'NCHW' });
    const thresholds = written.initializers.get(node.inputs[1]);
    t.equal(thresholds?.shape[1], 15);
    const width = Number(/^U?INT(\d+)$/.exec(written.datatypes.get(node.inputs[1]) ?? '')?.[1]);
    t.ok(
      numbers(node.inputs[1]).every((cut) => Number.isInteger(cut) && Math.abs(cut) <= 2 ** width),
      'wide enough',
    );
  }
  const renamed = encode(graph, { ...OPTIONS, opName: 'IntQuant' }).graph.nodes;
  t.equal(renamed.filter(({ op }) => op === 'IntQuant').length, quants.length);
  t.notOk(renamed.some(({ op }) => op === 'Quant'));
  t.end();
});

/** Networks of one image, whose integers ONNX Runtime gives for the operators as they are defined. */
const NETWORKS: readonly [string, IntegerGraph][] = [
  ['4 bits', randomGraph({ seed: 1 })],
  ['odd size', randomGraph({ seed: 2, size: 11, width: 4 })],
  ['8 and 6 bits', randomGraph({ seed: 3, actBits: 6, weightBits: 8 })],
  ['1 bit', randomGraph({ seed: 4, actBits: 1, weightBits: 2 })],
  ['signed inputs, not all of 8 bits', withScale(randomGraph({ seed: 5 }), 0.0123)],
  ['signed and shifted results', shifted(randomGraph({ seed: 6 }))],
];

function withScale(graph: IntegerGraph, scale: number): IntegerGraph {
  return { ...graph, input: { ...graph.input, low: -100, high: 101, scale: Math.fround(scale) } };
}

/** The first activation as −9 … 6, with fewer thresholds than steps. */
function shifted(graph: IntegerGraph): IntegerGraph {
  const base = graph.tensors.get('act1.base');
  const moved = integerTensor(
    base?.shape ?? [],
    Array.from(base?.data ?? [], (value) => value - 8),
  );
  const nodes = graph.nodes.map((node) => (node.name === 'act1' ? { ...node, low: -9, high: 7 } : node));
  return {
    ...graph,
    nodes: nodes as IntegerGraph['nodes'],
    tensors: new Map([...graph.tensors, ['act1.base', moved]]),
  };
}

t.test('the exported operators, run as they are defined, give our integers at every value', async (t) => {
  for (const [name, given] of NETWORKS) {
    const graph = inFloat32(given);
    const x = randomInput(graph, 1, 1);
    const expected = new Map<string, readonly number[]>();
    const y = runReference(graph, x, { see: (node, value) => expected.set(node.name, [...value.data]) });
    const watch = graph.nodes.map((node) => ({ name: node.name, type: 'float32' as const }));
    const bytes = writeModel(withoutQonnx(encode(graph)));
    const results = await runOnnx(bytes, realInput(graph, x), watch);
    for (const node of watch) t.same(results.get(node.name)?.data, expected.get(node.name), `${name}: ${node.name}`);
    t.same(results.get('output')?.data, [...decodeOutput(graph, y)], 'output');
  }
});

t.test('sums that float32 does not hold are refused', (t) => {
  const graph = randomGraph({ seed: 1 });
  const wide = { ...graph, input: { ...graph.input, high: 2 ** 20 } };
  t.throws(() => encode(wide), { name: 'DataError', message: /can be .* exact to 2\^24/ });
  t.end();
});
