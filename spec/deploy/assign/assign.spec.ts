import '../../startReference.js';
import fc from 'fast-check';
import t from 'tap';
import { assignBits } from '../../../lib/deploy/assign/assignBits.js';
import { clipToBits } from '../../../lib/deploy/assign/clip.js';
import { layerCost } from '../../../lib/deploy/assign/cost.js';
import { auditGraph } from '../../../lib/deploy/graph/audit.js';
import { type IntegerGraph, integerTensor, isProduct, type ProductNode } from '../../../lib/deploy/graph/graph.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { testAccumulator } from '../../../lib/quant/accumulator.js';
import { ArgumentError, DataError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';

t.test('clipped weights fit P, keep their signs, grow nowhere and stay as they are where they fit', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -127, max: 127 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 2, max: 20 }),
      fc.constantFrom({ low: 0, high: 15 }, { low: -8, high: 7 }, { low: -128, high: 0 }, { low: 0, high: 1 }),
      (q, bits, input) => {
        const clipped = clipToBits(q, 1, input, bits);
        const fits = testAccumulator(q, 1, input, bits).safe;
        return (
          testAccumulator(clipped, 1, input, bits).safe &&
          clipped.every((w, k) => w * q[k] >= 0 && Math.abs(w) <= Math.abs(q[k]) && (!fits || w === q[k]))
        );
      },
    ),
    { numRuns: 500, seed: 2 },
  );
  t.pass('500 rows');
});

t.test('what is left of a budget goes to the largest remainders', async (t) => {
  // P = 6, inputs 0 … 3: 31 / 3 = 10 units up, 32 / 3 = 10 down.
  t.same([...clipToBits([9, 4, 1, -2], 1, { low: 0, high: 3 }, 6)], [8, 2, 0, -2]);
});

/** Two layers: 6 inputs, 4 hidden ones of 0 … 3, 3 outputs. */
function network(): IntegerGraph {
  const random = new Random(3);
  const integers = (count: number, most: number) =>
    Array.from({ length: count }, () => Math.floor(random.uniform(-most, most + 1)));
  const layer = { op: 'linear', weightBits: 4, accumulatorBits: null } as const;
  return {
    name: 'two layers',
    input: { name: 'x', shape: [6], low: 0, high: 15, scale: 1 },
    nodes: [
      { ...layer, name: 'a', inputs: ['x'], weights: 'a.w' },
      {
        ...{ op: 'requantize', mode: 'thresholds', name: 'act', inputs: ['a'], low: 0, high: 3, scale: 1 },
        ...{ thresholds: 't', sign: 's', base: 'b' },
      },
      { ...layer, name: 'c', inputs: ['act'], weights: 'c.w' },
    ],
    output: { value: 'c', decode: [] },
    tensors: new Map([
      ['a.w', integerTensor([4, 6], integers(24, 7))],
      ['t', integerTensor([1, 3], [10, 40, 90])],
      ['s', integerTensor([1], [1])],
      ['b', integerTensor([1], [0])],
      ['c.w', integerTensor([3, 4], integers(12, 7))],
    ]),
    task: null,
    notes: [],
  };
}

/** Negative mean distance to the outputs of the network as it was. */
function nearness(graph: IntegerGraph, samples: { shape: readonly number[]; data: Int32Array }) {
  const wanted = runReference(graph, samples).data;
  return async (made: IntegerGraph) => {
    const got = runReference(made, samples).data;
    return -got.reduce((sum, value, i) => sum + Math.abs(value - wanted[i]), 0) / got.length;
  };
}

const drawn = () => {
  const random = new Random(4);
  return { shape: [64, 6], data: Int32Array.from({ length: 384 }, () => Math.floor(random.uniform(0, 16))) };
};

t.test('without a loss every layer gets its least P and computes the same', async (t) => {
  const graph = network();
  const samples = drawn();
  const made = await assignBits(graph, { cost: 'acc-bits', maxLoss: 0, samples, measure: nearness(graph, samples) });
  const audit = await auditGraph(made.graph);
  t.ok(audit.proved);
  for (const { layer, safeBits, bits } of made.layers) t.ok(bits <= safeBits, layer);
  t.same(runReference(made.graph, samples).data, runReference(graph, samples).data);
  t.equal(made.metric[1], 0);
});

t.test('the more may be lost, the less it costs; what it claims is proved', async (t) => {
  const graph = network();
  const samples = drawn();
  for (const cost of ['acc-bits', 'bops'] as const) {
    let last = Number.POSITIVE_INFINITY;
    for (const maxLoss of [0, 2, 8]) {
      const made = await assignBits(graph, { cost, maxLoss, samples, measure: nearness(graph, samples) });
      t.ok(made.metric[0] - made.metric[1] <= maxLoss, `${cost} ${maxLoss}: ${made.metric}`);
      t.ok(made.cost[1] <= last, `${made.cost}`);
      t.ok((await auditGraph(made.graph)).proved);
      last = made.cost[1];
    }
    t.ok(last < Number.POSITIVE_INFINITY);
  }
});

t.test('costs by hand', async (t) => {
  const graph = network();
  const [a] = graph.nodes.filter(isProduct) as ProductNode[];
  const zeros = [...(graph.tensors.get('a.w')?.data ?? [])].filter((q) => q === 0).length;
  t.equal(layerCost(graph, a, 9, 'acc-bits'), 4 * 9);
  t.equal(layerCost(graph, a, 9, 'bops'), (24 - zeros) * 4 * 4);
});

t.test('what it refuses', async (t) => {
  const graph = network();
  const samples = drawn();
  const options = { cost: 'bops', maxLoss: 1, samples, measure: nearness(graph, samples) } as const;
  await t.rejects(assignBits(graph, { ...options, cost: 'energy' as never }), ArgumentError);
  await t.rejects(assignBits(graph, { ...options, maxLoss: -1 }), DataError);
  await t.rejects(assignBits({ ...graph, nodes: [] }, options), DataError);
});
