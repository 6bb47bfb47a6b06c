import t from 'tap';
import { affineOf } from '../../../lib/deploy/exchange/affine.js';
import qcdq from '../../../lib/deploy/exchange/formats/qcdq.js';
import { readModel } from '../../../lib/deploy/exchange/onnx/proto.js';
import { type Staircase, staircaseOf } from '../../../lib/deploy/exchange/staircase.js';
import { type IntegerGraph, integerTensor, type RequantizeNode } from '../../../lib/deploy/graph/graph.js';
import { inferRanges } from '../../../lib/deploy/graph/ranges.js';
import { runReference } from '../../../lib/deploy/runtime/reference.js';
import { roundHalfEven } from '../../../lib/tensor/float32.js';
import { Random } from '../../../lib/tensor/random.js';
import { randomInput } from '../randomGraph.js';
import { realInput, runOnnx } from './onnx/run.js';

/** A convolution whose sums become `clip(round(slope·a + intercept), 0, 15)`, tried one by one. */
function network(slope: readonly number[], intercept: readonly number[]): IntegerGraph {
  const random = new Random(1);
  const weights = Array.from({ length: 4 * 2 * 9 }, () => Math.round(random.uniform(-7, 7)));
  const of = (c: number, a: number) =>
    Math.min(15, Math.max(0, roundHalfEven(Math.fround(Math.fround(slope[c] * a) + intercept[c]))));
  const cuts = slope.flatMap((rate, c) =>
    Array.from({ length: 15 }, (_, k) => {
      // The first sum that has passed k steps: more than k where they rise, less than 15 − k where they fall.
      let a = -4000;
      while (a < 4000 && (rate >= 0 ? of(c, a) <= k : of(c, a) >= 15 - k)) a++;
      return a;
    }),
  );
  const window = { stride: [1, 1], padding: [1, 1], dilation: [1, 1] } as const;
  const sign = slope.map((rate) => (rate < 0 ? -1 : 1));
  return {
    name: 'lines',
    input: { name: 'x', shape: [2, 6, 6], low: 0, high: 15, scale: 1 },
    nodes: [
      {
        ...{ op: 'conv', name: 'sums', inputs: ['x'], weights: 'w', weightBits: 4, accumulatorBits: null },
        ...{ ...window, groups: 1, resize: 1 },
      },
      {
        ...{ op: 'requantize', mode: 'thresholds', name: 'act', inputs: ['sums'], low: 0, high: 15, scale: 1 },
        ...{ thresholds: 'cuts', sign: 'sign', base: 'base' },
      },
    ],
    output: { value: 'act', decode: [] },
    tensors: new Map([
      ['w', integerTensor([4, 2, 3, 3], weights)],
      ['cuts', integerTensor([4, 15], cuts)],
      ['sign', integerTensor([4], sign)],
      [
        'base',
        integerTensor(
          [4],
          sign.map((s) => (s === 1 ? 0 : 15)),
        ),
      ],
    ]),
    task: null,
    notes: [],
  };
}

const stairsOf = (graph: IntegerGraph): Staircase =>
  staircaseOf(graph.nodes[1] as RequantizeNode, graph, inferRanges(graph));

const LINES = network([0.031, -0.0173, 0.25, 0], [1.234, 7.5, -3.3, 4.1]);
/** Biases of 7, −20, 3 and 100 sums. */
const WHOLE = network([0.0313, -0.0219, 0.113, 0.0707], [0.2191, 0.438, 0.339, 7.07]);
/** Powers of two: many sums lie half way between two results, and go to the even one. */
const TIES = network([1 / 32, -1 / 64, 1 / 4, 1 / 8], [0.5, 8, -3.5, 4.125]);

t.test('a line is found from its thresholds, and gives every one of them', (t) => {
  for (const graph of [LINES, WHOLE, TIES]) {
    const stairs = stairsOf(graph);
    const affine = affineOf(stairs);
    if (affine === null) return t.fail('no line');
    const { slope, intercept } = affine;
    const [tensor] = [graph.tensors.get('cuts')?.data ?? []];
    for (let a = -900; a <= 900; a++) {
      for (let c = 0; c < 4; c++) {
        const rises = stairs.sign[c] === 1;
        const signed = stairs.sign[c] * a;
        if (signed < stairs.reach.low[c] || signed > stairs.reach.high[c]) continue;
        const reached = Array.from(tensor.slice(15 * c, 15 * c + 15)).filter((cut) => a >= cut).length;
        const out = Math.min(15, Math.max(0, roundHalfEven(Math.fround(Math.fround(slope[c] * a) + intercept[c]))));
        if (out !== (rises ? reached : 15 - reached)) return t.fail(`channel ${c}: ${a} gives ${out}`);
      }
    }
    t.equal(Math.sign(slope[1]), -1, 'a channel falls');
  }
  const bent = stairsOf(LINES);
  bent.thresholds.set([-200, -100, -99, -98, 50, 51], 0);
  t.equal(affineOf(bent), null, 'what is no line');
  t.end();
});

t.test('ONNX Runtime gets exact results from both forms, and near ones where that is asked for', async (t) => {
  const near = network([0.031, -0.0173, 0.25, 0.1], [1.234, 7.5, -3.3, 4.13]);
  for (const [graph, fused, most, hasBias] of [
    [LINES, false, 0, false],
    [near, false, 0, false],
    [near, true, 1, true],
  ] as const) {
    const bytes = qcdq.encode(graph, { name: 'net', opName: 'Quant', fused }) as Uint8Array;
    const { nodes } = readModel(bytes, 'net').graph;
    t.equal(nodes.find(({ op }) => op === 'Conv')?.inputs.length, hasBias ? 3 : 2);
    t.equal(
      nodes.some(({ op }) => op === 'Mul'),
      !hasBias,
    );
    const x = randomInput(graph, 3, 1);
    const expected = runReference(graph, x).data;
    for (const graphOptimizationLevel of ['all', 'disabled'] as const) {
      const { data } = (await runOnnx(bytes, realInput(graph, x), [], { graphOptimizationLevel })).get('output') ?? {};
      const largest = expected.reduce((sum, value, i) => Math.max(sum, Math.abs(value - (data?.[i] ?? 99))), 0);
      t.ok(largest <= most, `${largest} steps`);
    }
  }
});
