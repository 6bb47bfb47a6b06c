import t from 'tap';
import type { Overflow } from '../../lib/deploy/accumulator/register.js';
import { outerAccumulatorBits, type Summation } from '../../lib/deploy/accumulator/summation.js';
import { type IntegerGraph, integerTensor } from '../../lib/deploy/graph/graph.js';
import { accuracyByBits } from '../../lib/deploy/laboratory/accuracyByBits.js';
import { OverflowLaboratory, runLaboratory } from '../../lib/deploy/laboratory/laboratory.js';
import { watchedLayers } from '../../lib/deploy/laboratory/layers.js';
import { exactProduct, type IntegerValue, runReference } from '../../lib/deploy/runtime/reference.js';
import { ArgumentError, DataError, QuantError } from '../../lib/tensor/errors.js';
import { randomGraph, randomInput } from './randomGraph.js';

const SUMMATIONS: Summation[] = ['sequential', 'pairwise', { tile: 1 }, { tile: 5 }, { tile: 64 }];
const MODES: Overflow[] = ['exact', 'wrap', 'saturate'];

t.test('exact registers change nothing, in any order, and count what a narrow one could not hold', async (t) => {
  const graph = randomGraph({ seed: 3 });
  const x = randomInput(graph, 3, 5);
  const want = runReference(graph, x);
  const seen = SUMMATIONS.map((summation) => {
    const options = { accumulatorBits: 6, overflow: 'exact', summation, layers: 'all' } as const;
    const { value, layers, histograms } = runLaboratory(graph, x, { ...options, histograms: true });
    t.same(value, want, JSON.stringify(summation));
    for (const { layer, overflows, sums } of layers) {
      const histogram = histograms.get(layer);
      t.equal(histogram?.total, sums, `${layer}: a count for each partial sum`);
      t.equal(histogram?.beyond(6), overflows, `${layer}: overflows are the sums beyond 6 bits`);
    }
    t.same(runLaboratory(graph, x, options).layers, layers, 'watched or not');
    return layers.reduce((total, { overflows }) => total + overflows, 0);
  });
  t.ok(seen.every((overflows) => overflows > 0));
});

t.test('registers of one width that wrap end at the low bits of the exact sum, in any order', async (t) => {
  const graph = randomGraph({ seed: 4, weightBits: 5, width: 12 });
  const x = randomInput(graph, 2, 6);
  const bits = 7;
  const want = runReference(graph, x, {
    product: (node, input, weights) => {
      const exact = exactProduct(node, input, weights);
      if (!watchedLayers(graph).some((layer) => layer.node === node)) return exact;
      return { ...exact, data: exact.data.map((sum) => Number(BigInt.asIntN(bits, BigInt(sum)))) };
    },
  });
  for (const summation of SUMMATIONS) {
    const { value, layers } = runLaboratory(graph, x, { accumulatorBits: bits, overflow: 'wrap', summation });
    t.same(value, want, JSON.stringify(summation));
    t.ok(layers.some(({ overflows }) => overflows > 0));
  }
});

t.test('a network cut to P does not change by one bit on it, whatever the order and the mode', async (t) => {
  for (const accumulatorBits of [8, 10, 12]) {
    const graph = randomGraph({ seed: accumulatorBits, accumulatorBits });
    const x = randomInput(graph, 3, 7);
    const want = runReference(graph, x);
    for (const summation of SUMMATIONS) {
      for (const overflow of MODES) {
        const { value, layers } = runLaboratory(graph, x, { accumulatorBits, overflow, summation });
        t.same(value, want, `P = ${accumulatorBits}, ${JSON.stringify(summation)}, ${overflow}`);
        t.ok(layers.length > 4 && layers.every(({ proved, overflows, sums }) => proved && overflows === 0 && sums > 0));
      }
    }
  }
});

/** One product of four weights, all 7, on inputs of 0 … 15. */
const tiny: IntegerGraph = {
  name: 'tiny',
  input: { name: 'x', shape: [4], low: 0, high: 15, scale: 1 },
  nodes: [{ op: 'linear', name: 'fc', inputs: ['x'], weights: 'w', weightBits: 4, accumulatorBits: null }],
  output: { value: 'fc', decode: [] },
  tensors: new Map([['w', integerTensor([1, 4], [7, 7, 7, -7])]]),
  task: null,
  notes: [],
};

t.test('two stages, worked by hand', async (t) => {
  const x: IntegerValue = { shape: [1, 4], data: Int32Array.of(15, 15, 15, 0) };
  // Tiles of two: 105, 210 | 105, 105; inner 9 bits hold 210, the outer needs 10.
  const run = (innerBits: number, accumulatorBits?: number) => {
    const summation = { tile: 2, innerBits };
    const { value, layers } = runLaboratory(tiny, x, {
      ...{ overflow: 'saturate', summation },
      ...(accumulatorBits === undefined ? {} : { accumulatorBits }),
    });
    const [{ accumulatorBits: outer, overflows, outputsAffected, sums, proved }] = layers;
    return { y: value.data[0], outer, overflows, outputsAffected, sums, proved };
  };
  t.same(run(9), { y: 315, outer: 10, overflows: 0, outputsAffected: 0, sums: 5, proved: true });
  t.same(run(8), { y: 232, outer: 9, overflows: 1, outputsAffected: 1, sums: 5, proved: false });
  t.same(run(9, 9), { y: 255, outer: 9, overflows: 1, outputsAffected: 1, sums: 5, proved: false });
  t.equal(outerAccumulatorBits(9, 4, 2), 10);
});

t.test('counts add up over the inputs of one laboratory', async (t) => {
  const graph = randomGraph({ seed: 9 });
  const options = { accumulatorBits: 6, overflow: 'saturate', layers: ['conv2', 'conv3'] } as const;
  const [a, b] = [randomInput(graph, 1, 1), randomInput(graph, 2, 2)];
  const laboratory = new OverflowLaboratory(graph, options);
  laboratory.run(a);
  laboratory.run(b);
  const apart = [runLaboratory(graph, a, options), runLaboratory(graph, b, options)];
  for (const [i, { layer, overflows, outputs, sums }] of laboratory.layers.entries()) {
    t.equal(overflows, apart[0].layers[i].overflows + apart[1].layers[i].overflows, layer);
    t.equal(sums, apart[0].layers[i].sums + apart[1].layers[i].sums);
    t.equal(outputs, 3 * apart[0].layers[i].outputs);
  }
});

t.test('the layers that are looked at, and what is known of them', async (t) => {
  const names = (graph: IntegerGraph, given?: readonly string[] | 'all') =>
    watchedLayers(graph, given).map(({ node }) => node.name);
  const free = randomGraph({ seed: 1 });
  t.same(names(free).slice(0, 2), ['conv2', 'depthwise'], 'unconstrained: all but the first and the last');
  t.notOk(names(free).includes('conv1') || names(free).includes('fc'));
  t.same(names(free, 'all').slice(0, 1), ['conv1']);
  t.same(names(free, ['fc', 'conv1']), ['fc', 'conv1']);
  t.notOk(names(randomGraph({ seed: 1, accumulatorBits: 9 })).includes('fc'), 'the constrained ones');
  const [{ low, high, safeBits, dataTypeBits, length, inputs }] = watchedLayers(tiny);
  // 15·21 = 315 and −105; the bound of four weights of −8: 4·8·2⁴ = 512, and one bit more for the sign.
  t.same(
    { low, high, safeBits, dataTypeBits, length },
    { low: -105, high: 315, safeBits: 10, dataTypeBits: 11, length: 4 },
  );
  t.same(inputs, { low: 0, high: 15 });
  t.throws(() => watchedLayers(free, ['act1']), { message: /act1 is no layer with an accumulator; there are conv1/ });
});

t.test('the metric by bits: each point as a run of its own gives it', async (t) => {
  const graph = randomGraph({ seed: 12 });
  const inputs = [randomInput(graph, 3, 1), randomInput(graph, 2, 2)];
  const score = (output: IntegerValue) => output.data.reduce((sum, value) => sum + (Math.abs(value) % 7), 0);
  for (const summation of ['sequential', 'pairwise', { tile: 9 }] as const) {
    const batches = inputs.map((x) => ({ x, score }));
    const found = await accuracyByBits(graph, batches, { bits: [6, 8, 20, 8], summation });
    t.same(
      found.points.map(({ bits }) => bits),
      [20, 8, 6],
    );
    t.equal(found.samples, 5);
    t.equal(found.exact, inputs.reduce((sum, x) => sum + score(runReference(graph, x)), 0) / 5);
    for (const point of found.points) {
      for (const overflow of ['wrap', 'saturate'] as const) {
        const options = { accumulatorBits: point.bits, overflow, summation };
        const runs = inputs.map((x) => runLaboratory(graph, x, options).value);
        t.equal(point[overflow], runs.reduce((sum, value) => sum + score(value), 0) / 5, `${point.bits} ${overflow}`);
        const same = inputs.map((x, i) => {
          const [exact, size] = [runReference(graph, x).data, runs[i].data.length / x.shape[0]];
          const rows = Array.from({ length: x.shape[0] }, (_, n) => n);
          return rows.filter(
            (n) => exact.slice(n * size, (n + 1) * size).join() === runs[i].data.slice(n * size, (n + 1) * size).join(),
          );
        });
        t.equal(point.unchanged[overflow], same.flat().length);
      }
    }
    const exact = runLaboratory(graph, inputs[0], {
      accumulatorBits: 32,
      overflow: 'exact',
      summation,
      histograms: true,
    });
    for (const { node } of found.layers) {
      t.same(found.histograms.get(node.name)?.bars(), exact.histograms.get(node.name)?.bars(), 'of the first batch');
    }
  }
});

t.test('bad input is refused', async (t) => {
  const graph = randomGraph({ seed: 1 });
  const x = randomInput(graph, 1, 1);
  const run = (options: object) => () => runLaboratory(graph, x, options as never);
  t.throws(run({ overflow: 'wrap' }), { message: /accumulatorBits is missing/ });
  t.throws(run({ overflow: 'lost', accumulatorBits: 8 }), QuantError);
  t.throws(run({ overflow: 'wrap', accumulatorBits: 33 }), QuantError);
  t.throws(run({ overflow: 'wrap', accumulatorBits: 8, layers: ['nothing'] }), QuantError);
  t.throws(run({ overflow: 'wrap', accumulatorBits: 8, summation: { tile: 4, innerBits: 9 } }), QuantError);
  t.throws(run({ overflow: 'wrap', accumulatorBits: 8, histograms: 1 }), ArgumentError);
  t.throws(
    () => runLaboratory(graph, { shape: [1, 2], data: new Int32Array(2) }, { accumulatorBits: 8, overflow: 'wrap' }),
    DataError,
  );
  await t.rejects(accuracyByBits(graph, [], { bits: [8] }), { message: /there is no sample/ });
  await t.rejects(accuracyByBits(graph, [], { bits: [1] }), QuantError);
  await t.rejects(accuracyByBits(graph, [], { bits: 8 as never }), ArgumentError);
});
