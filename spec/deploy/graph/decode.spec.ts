import t from 'tap';
import { decodeOutput, pixelTables, quantizeInput } from '../../../lib/deploy/graph/decode.js';
import type { DecodeStep, IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import { ArgumentError, DataError } from '../../../lib/tensor/errors.js';
import { randomGraph } from '../randomGraph.js';

/** A network of one linear layer on `[2]` inputs of −8 … 7, each step worth 0.5. */
function tiny(decode: readonly DecodeStep[] = []): IntegerGraph {
  const pixels = { mean: [0.5, 0.25], std: [0.25, 0.5] };
  return {
    name: 'tiny',
    input: { name: 'input', shape: [2], low: -8, high: 7, scale: 0.5 },
    nodes: [{ op: 'linear', name: 'fc', inputs: ['input'], weights: 'w', weightBits: 4, accumulatorBits: null }],
    output: { value: 'fc', decode },
    tensors: new Map([['w', { shape: [2, 2], data: Int8Array.of(1, 0, 0, 1) }]]),
    task: { kind: 'labels', classes: ['a', 'b'], pixels },
    notes: [],
  };
}

t.test('real inputs: ties to even, cut off at both ends', async (t) => {
  const x = Float32Array.of(0.25, 0.75, -0.25, -0.75, 100, Number.NEGATIVE_INFINITY, -0, 3.26);
  const { shape, data } = quantizeInput(tiny(), x, [4, 2]);
  t.same(shape, [4, 2]);
  t.same([...data], [0, 2, 0, -2, 7, -8, 0, 7]);
});

t.test('the quotient is rounded to float32 before it is rounded to an integer', async (t) => {
  const scale = Math.fround(1 / 255);
  const graph = { ...randomGraph({ seed: 1 }), input: { name: 'input', shape: [1], low: 0, high: 255, scale } };
  const x = Float32Array.from({ length: 512 }, (_, i) => Math.fround(i * 0.5 * scale));
  const want = Array.from(x, (value) => {
    const quotient = Float32Array.of(value / scale)[0];
    const below = Math.floor(quotient);
    const rest = quotient - below;
    const up = rest > 0.5 || (rest === 0.5 && below % 2 === 1);
    return Math.min(255, up ? below + 1 : below);
  });
  t.same([...quantizeInput({ ...graph, nodes: [] }, x, [512, 1]).data], want);
});

t.test('a byte becomes the integer of its normalised value', async (t) => {
  const graph = tiny();
  const tables = pixelTables(graph);
  t.equal(tables.length, 2);
  const [mean, std] = [
    [0.5, 0.25],
    [0.25, 0.5],
  ];
  for (const [channel, table] of tables.entries()) {
    const real = Float32Array.from({ length: 256 }, (_, byte) => (byte / 255 - mean[channel]) / std[channel]);
    const pairs = Float32Array.from({ length: 512 }, (_, i) => real[i >> 1]);
    const want = quantizeInput(graph, pairs, [256, 2]).data.filter((_, i) => i % 2 === 0);
    t.same([...table], [...want], `channel ${channel}`);
  }
  t.same([tables[0][0], tables[0][255]], [-4, 4]);
  t.throws(() => pixelTables({ ...graph, task: null }), { message: /does not say what it is for/ });
});

t.test('outputs: one float32 operation after the other, per channel', async (t) => {
  const steps: DecodeStep[] = [
    { op: 'multiply', values: [0.1] },
    { op: 'divide', values: [2, 4] },
    { op: 'add', values: [-1, 1] },
    { op: 'maximum', values: [0] },
  ];
  const real = decodeOutput(tiny(steps), { shape: [2, 2, 1, 2], data: Int32Array.of(30, 10, 8, -8, 0, -7, -80, 40) });
  const f = Math.fround;
  const tenth = f(0.1);
  const want = [f(f(30 * tenth) / 2) - 1, 0, f(f(f(8 * tenth) / 4) + 1), f(f(f(-8 * tenth) / 4) + 1)];
  t.same([...real.subarray(0, 4)], want);
  t.same([...real.subarray(4)], [0, 0, 0, 2]);
});

t.test('bad input is refused', async (t) => {
  const graph = tiny([{ op: 'add', values: [1, 2] }]);
  t.throws(() => quantizeInput(graph, new Float32Array(3), [2, 2]), { message: /shape \[2, 2\] has 4 values; got 3/ });
  t.throws(() => quantizeInput(graph, Float32Array.of(0, Number.NaN), [1, 2]), { message: /an input is NaN/ });
  t.throws(() => quantizeInput(graph, [1, 2] as never, [1, 2]), ArgumentError);
  t.throws(() => decodeOutput(graph, { shape: [1, 3], data: new Int32Array(3) }), {
    message: /the network has 2 channels; got \[1, 3\]/,
  });
  t.throws(() => decodeOutput(graph, { shape: [2, 2], data: new Int32Array(3) }), DataError);
  t.throws(() => decodeOutput(graph, { shape: [1, 2], data: [1, 2] as never }), ArgumentError);
});
