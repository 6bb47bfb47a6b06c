import { createHash } from 'node:crypto';
import t from 'tap';
import { auditGraph, type GraphLayerAudit } from '../../../lib/deploy/graph/audit.js';
import { type IntegerGraph, type IntegerTensor, isProduct, type ProductNode } from '../../../lib/deploy/graph/graph.js';
import { exactProduct } from '../../../lib/deploy/runtime/reference.js';
import { Random } from '../../../lib/tensor/random.js';
import { randomGraph } from '../randomGraph.js';
import { alike, PLAIN, tinyConv, tinyGraph } from '../tinyGraph.js';

/** The same layers with another P. */
function claiming({ nodes, ...graph }: IntegerGraph, bits: (node: ProductNode) => number | null): IntegerGraph {
  return { ...graph, nodes: nodes.map((node) => (isProduct(node) ? { ...node, accumulatorBits: bits(node) } : node)) };
}

t.test('a layer as one would do it by hand', async (t) => {
  const graph = tinyGraph([tinyConv({ weightBits: 3, accumulatorBits: 6 })], {
    input: { shape: [3, 1, 1], low: -1, high: 4 },
    tensors: {
      w: [
        [3, 3, 1, 1],
        [1, -2, 0, 3, 3, -1, 0, 0, 0],
      ],
    },
  });
  const { layers, registers, proved, safeBits } = await auditGraph(graph);
  t.strictSame(layers, [
    {
      ...{ layer: 'y', op: 'conv', weightBits: 3, input: { low: -1, high: 4 }, length: 3, channels: 3 },
      ...{ accumulatorBits: 6, safeBits: 6, margin: 0, max: 25, min: -10, l1: 7, budget: 12, zeros: 4 },
      weightsSha256: createHash('sha256')
        .update(Int32Array.of(1, -2, 0, 3, 3, -1, 0, 0, 0))
        .digest('hex'),
      ...{ alpha: [1, 6, 0], beta: [-2, -1, 0], channelMax: [6, 25, 0], channelMin: [-9, -10, 0] },
      worst: { channel: 1, max: 25, min: -10, maxInput: [4, 4, -1], minInput: [-1, -1, 4] },
      proved: true,
    },
  ]);
  t.strictSame(registers, [{ node: 'y', holds: 'products', min: -10, max: 25, bits: 6 }]);
  t.strictSame([proved, safeBits], [true, 6]);
});

t.test('witnesses reach the extremes, which one bit less cannot hold', async (t) => {
  for (const options of [{ seed: 1 }, { seed: 2, accumulatorBits: 10 }, { seed: 3, weightBits: 2, actBits: 1 }]) {
    const graph = randomGraph(options);
    const { layers } = await auditGraph(graph);
    t.equal(layers.length, graph.nodes.filter(isProduct).length);
    for (const layer of layers) {
      const node = graph.nodes.find(({ name }) => name === layer.layer) as ProductNode;
      const { shape, data } = graph.tensors.get(node.weights) as IntegerTensor;
      const { channel, max, min, maxInput, minInput } = layer.worst;
      const row = data.slice(channel * layer.length, (channel + 1) * layer.length);
      const linear = { ...node, op: 'linear' as const };
      const x = { shape: [2, layer.length], data: Int32Array.from([...maxInput, ...minInput]) };
      const reached = exactProduct(linear, x, { shape: [1, layer.length], data: row });
      t.strictSame([...reached.data], [max, min], layer.layer);
      t.strictSame(
        [layer.max, layer.min, shape[0]],
        [Math.max(...layer.channelMax), Math.min(...layer.channelMin), layer.channels],
      );
      t.ok([...maxInput, ...minInput].every((value) => value >= layer.input.low && value <= layer.input.high));
      const limit = 2 ** (layer.safeBits - 1);
      t.ok(layer.max < limit && layer.min >= -limit, 'safe P holds every channel');
      t.ok(max >= limit / 2 || min < -limit / 2, 'the fullest needs it');
    }
  }
});

t.test('random inputs in random orders stay within what is certified', async (t) => {
  const random = new Random(5);
  const graph = randomGraph({ seed: 4, accumulatorBits: 9 });
  for (const layer of (await auditGraph(graph)).layers) {
    const { data } = graph.tensors.get(`${layer.layer}.weight`) as IntegerTensor;
    let outside = 0;
    for (let trial = 0; trial < 300; trial++) {
      const channel = random.integer(layer.channels);
      const order = random.permutation(layer.length);
      let sum = 0;
      for (const k of order) {
        const extreme = random.integer(3) > 0;
        const drawn = layer.input.low + random.integer(layer.input.high - layer.input.low + 1);
        sum +=
          data[channel * layer.length + k] * (extreme ? [layer.input.low, layer.input.high][random.integer(2)] : drawn);
        if (sum > layer.channelMax[channel] || sum < layer.channelMin[channel]) outside += 1;
      }
    }
    t.equal(outside, 0, layer.layer);
  }
});

t.test('a claim holds from the smallest safe P on', async (t) => {
  const graph = randomGraph({ seed: 6 });
  const { layers, proved, safeBits } = await auditGraph(graph);
  t.strictSame([proved, safeBits], [false, null], 'nothing is claimed');
  t.ok(layers.every((layer) => layer.proved === null && layer.margin === null && layer.budget === null));
  const safe = (node: ProductNode) => (layers.find(({ layer }) => layer === node.name) as GraphLayerAudit).safeBits;
  const exact = await auditGraph(claiming(graph, safe));
  t.equal(exact.proved, true);
  t.ok(exact.layers.every((layer) => layer.proved === true && layer.margin === 0));
  t.equal(exact.safeBits, Math.max(...layers.map((layer) => layer.safeBits)));
  for (const { layer } of layers) {
    const less = await auditGraph(claiming(graph, (node) => safe(node) - Number(node.name === layer)));
    t.equal(less.proved, false, layer);
    for (const each of less.layers)
      t.strictSame([each.proved, each.margin], each.layer === layer ? [false, -1] : [true, 0]);
  }
});

t.test('every register is counted', async (t) => {
  const tensors = {
    w: alike([2, 2, 1, 1], -3),
    steps: [
      [2, 3],
      [-90, -50, 1, -7, -7, -7],
    ] as const,
    sign: [[2], [1, -1]] as const,
    base: [[2], [0, 3]] as const,
    m: alike([1], 1000),
    o: alike([1], -9),
    s: alike([1], 4),
  };
  const grid = { op: 'requantize', low: 0, high: 3, scale: 1 } as const;
  const graph = tinyGraph(
    [
      tinyConv({ name: 'conv' }),
      { ...grid, mode: 'thresholds', name: 'act', inputs: ['conv'], thresholds: 'steps', sign: 'sign', base: 'base' },
      { op: 'add', name: 'residual', inputs: ['act', 'x', 'act'] },
      { op: 'maxPool', name: 'most', inputs: ['residual'], ...PLAIN, kernel: [1, 1] },
      { op: 'sumPool', name: 'mean', inputs: ['most'], ...PLAIN, kernel: [2, 2], padding: [1, 1] },
      {
        ...grid,
        mode: 'fixed',
        name: 'half',
        inputs: ['mean'],
        lift: 3,
        multiplier: 'm',
        offset: 'o',
        shift: 's',
        error: 0,
      },
    ],
    { tensors },
  );
  t.strictSame((await auditGraph(graph)).registers, [
    { node: 'conv', holds: 'products', min: -90, max: 0, bits: 8 },
    { node: 'act', holds: 'comparison', min: -90, max: 1, bits: 8 },
    { node: 'residual', holds: 'values', min: 0, max: 21, bits: 6 },
    { node: 'mean', holds: 'values', min: 0, max: 84, bits: 8 },
    { node: 'half', holds: 'scaling', min: -72, max: 84008, bits: 18 },
  ]);
});

t.test('nothing overflows nothing', async (t) => {
  const graph = tinyGraph([tinyConv({ accumulatorBits: 2 })], { tensors: { w: alike([3, 2, 1, 1], 0) } });
  const { layers } = await auditGraph(graph);
  t.match(layers[0], { safeBits: 1, margin: 1, max: 0, min: 0, l1: 0, zeros: 6, proved: true, worst: { channel: 0 } });
  const still = tinyGraph([tinyConv({ accumulatorBits: 2 })], {
    input: { high: 0 },
    tensors: { w: alike([1, 2, 1, 1]) },
  });
  t.match((await auditGraph(still)).layers[0], { safeBits: 1, l1: 2, budget: null, proved: true });
});

t.test('what is no graph is not audited', async (t) => {
  const { tensors: _, ...graph } = tinyGraph([tinyConv()]);
  await t.rejects(
    auditGraph({ ...graph, tensors: new Map() }),
    /auditGraph: y names the tensor 'w', which is not there/,
  );
  await t.rejects(auditGraph(graph as IntegerGraph), /auditGraph: it has no tensors/);
});
