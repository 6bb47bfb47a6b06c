import t from 'tap';
import { diffNetworks, watchGraph } from '../../lib/deploy/diff.js';
import { encodeOnnx } from '../../lib/deploy/exchange/onnx/encode.js';
import { importOnnx } from '../../lib/deploy/exchange/onnx/importOnnx.js';
import { integerDialect } from '../../lib/deploy/exchange/onnx/integerDialect.js';
import type { IntegerGraph } from '../../lib/deploy/graph/graph.js';
import { Random } from '../../lib/tensor/random.js';
import { randomGraph } from './randomGraph.js';

function batch({ input }: IntegerGraph, images: number, seed: number) {
  const random = new Random(seed);
  const inputShape = [images, ...input.shape];
  const size = inputShape.reduce((a, b) => a * b, 1);
  return { inputShape, inputs: Float32Array.from({ length: size }, () => random.uniform(0, 1)) };
}

/** The same network with one number of a tensor changed. */
function changed(graph: IntegerGraph, name: string, to: (value: number) => number): IntegerGraph {
  const tensors = new Map(graph.tensors);
  const found = tensors.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  const data = found.data.slice();
  data[0] = to(data[0]);
  tensors.set(name, { ...found, data });
  return { ...graph, tensors };
}

t.test('a network does not differ from itself, nor from what is read back from integer ONNX', async (t) => {
  const graph = randomGraph({ seed: 1 });
  const batches = [batch(graph, 2, 1), batch(graph, 1, 2)];
  const own = await diffNetworks(watchGraph(graph), watchGraph(graph), batches);
  t.equal(own.first, null);
  t.equal(own.matchedBy, 'name');
  t.equal(own.samples, 3);
  t.equal(own.layers.length, graph.nodes.length);
  t.ok(own.layers.every(({ compared }) => compared > 0));
  const back = importOnnx(encodeOnnx(graph, integerDialect), 'net.onnx');
  const other = await diffNetworks(watchGraph(graph), watchGraph(back), batches);
  t.equal(other.first, null);
  t.equal(other.output.differing, 0);
  t.same(other.unmatched, { a: ['large'], b: [] }, 'a convolution repeats pixels by itself');
});

t.test('the first value that differs is the one that was changed', async (t) => {
  const graph = randomGraph({ seed: 2, zeros: 0 });
  const other = changed(graph, 'conv2.weight', (q) => (q > 0 ? q - 2 : q + 2));
  const found = await diffNetworks(watchGraph(graph), watchGraph(other), [batch(graph, 2, 3)]);
  t.equal(found.first?.a, 'conv2');
  t.ok((found.first?.differing ?? 0) > 0 && (found.first?.largest ?? 0) > 0);
  t.equal(found.first?.first?.batch, 0);
  t.equal(found.first?.first?.index[1], 0, 'in the channel that was changed');
  t.same(
    found.layers.filter(({ a }) => a === 'conv1' || a === 'act1').map(({ differing }) => differing),
    [0, 0],
  );
  const tolerant = await diffNetworks(watchGraph(graph), watchGraph(other), [batch(graph, 2, 3)], { tolerance: 1e9 });
  t.equal(tolerant.first, null);
});

t.test('networks without common names are matched by order', async (t) => {
  const graph = randomGraph({ seed: 3 });
  const rename = (name: string) => (name === graph.input.name ? name : `other.${name}`);
  const nodes = graph.nodes.map((node) => ({ ...node, name: rename(node.name), inputs: node.inputs.map(rename) }));
  const renamed: IntegerGraph = { ...graph, nodes, output: { ...graph.output, value: rename(graph.output.value) } };
  const found = await diffNetworks(watchGraph(graph), watchGraph(renamed), [batch(graph, 1, 4)]);
  t.equal(found.matchedBy, 'order');
  t.equal(found.first, null);
  t.equal(found.layers.length, graph.nodes.length);
});

t.test('sums that are negated in a whole channel are equal', async (t) => {
  const network = (data: number[]) => ({
    nodes: [{ name: 'conv', op: 'conv' as const }],
    watch: () => {
      const value = { shape: [1, 2, 1, 2], data: Int32Array.from(data) };
      return { values: new Map([['conv', value]]), output: value };
    },
  });
  const one = [{ inputs: new Float32Array(1), inputShape: [1, 1] }];
  const turned = await diffNetworks(network([1, -2, 3, 4]), network([-1, 2, 3, 4]), one);
  t.equal(turned.layers[0].differing, 0);
  t.equal(turned.output.differing, 2, 'outputs are not');
  const partly = await diffNetworks(network([1, -2, 3, 4]), network([-1, -2, 3, 4]), one);
  t.equal(partly.layers[0].differing, 1);
});

t.test('what cannot be compared is refused', async (t) => {
  const graph = randomGraph({ seed: 1 });
  const small = randomGraph({ seed: 1, width: 4 });
  const batches = [batch(graph, 1, 1)];
  await t.rejects(diffNetworks(watchGraph(graph), watchGraph(small), batches), {
    name: 'DataError',
    message: /conv1 and conv1 have the shapes .*: these are different networks/,
  });
  await t.rejects(diffNetworks(watchGraph(graph), watchGraph(graph), []), { name: 'DataError' });
  await t.rejects(diffNetworks(watchGraph(graph), watchGraph(graph), batches, { tolerance: -1 }), {
    name: 'ArgumentError',
  });
});
