import type { Test } from 'tap';
import { normalizationRows } from '../../../lib/autograd/rows/normalization.js';
import type { BatchNormAttrs, QuantGrid } from '../../../lib/kernels/fast.js';
import { blend } from '../../../lib/nn/layers/batchNorm.js';
import type { View } from '../../../lib/tensor/view.js';
import {
  batchNormGrad,
  channelAffine,
  channelStats,
  count,
  fakeQuantize,
  fakeQuantizeGrad,
  type NumberArray,
} from '../../oracle.js';
import { ROW_TOLERANCES, type Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import { composed, composedValue, expectGradient, expectRow, ownValue } from './rows.js';
import { compare, type Subject } from './subject.js';

type LayoutName = keyof typeof LAYOUTS;

const SHAPES: readonly (readonly number[])[] = [
  [2, 3],
  [5, 1],
  [1, 4, 1, 1],
  [3, 2, 7],
  [2, 3, 4, 5],
  [2, 5, 3, 3],
  [1, 16, 4, 4],
  [3, 17, 1, 5],
  [2, 2, 5, 9],
];

/** Shapes of which each channel has statistics. */
const SEVERAL = SHAPES.filter((shape) => count(shape) / shape[1] > 1);

/** What may follow the norm; the last grid rounds half of the values out of it. */
const FOLLOWERS: readonly (BatchNormAttrs['activation'] | QuantGrid)[] = [
  'none',
  'relu',
  { low: 0, high: 15, relu: true },
  { low: -8, high: 7 },
  { low: -1, high: 1 },
  { low: 1, high: 4, relu: true },
];

const { batchNorm, batchNormQuantize } = normalizationRows;

/** x, γ and β of some shape. */
type Operands = readonly [x: NumberArray, weight: NumberArray, bias: NumberArray];

function draw(s: Subject, shape: readonly number[]): Operands {
  return [s.array(shape, -2, 3), s.array([shape[1]], 0.5, 2), s.array([shape[1]])];
}

/** Batch norm before anything follows it, its statistics, and 1/√(variance + ε). */
function normalize([x, weight, bias]: Operands, epsilon: number) {
  const { mean, variance } = channelStats(x);
  const shape = mean.shape;
  const rstd = { shape, data: variance.data.map((v) => 1 / Math.sqrt(v + epsilon)) };
  const y = channelAffine(x, mean, { shape, data: weight.data.map((w, c) => w * rstd.data[c]) }, bias);
  return { y, mean, variance, rstd };
}

/** What treats each channel (axis 1) on its own: batch norm with what follows it, and the average of its statistics. */
export async function channelConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const close = { tolerance: tolerances.normalized };
  const none = { epsilon: 1e-3, activation: 'none' } as const;

  await s.test(t, 'batchNorm: value and statistics', async () => {
    for (const shape of SHAPES) {
      for (const layout of LAYOUT_NAMES) {
        const operands = draw(s, shape);
        const inputs = operands.map((array) => s.view(array, LAYOUTS[layout]));
        const { y: out, mean, variance } = normalize(operands, none.epsilon);
        const label = `[${shape}] ${layout}`;
        const given = { row: batchNorm, inputs, attrs: none };
        await expectRow(s, label, given, { out, mean, variance }, close);
        for (const results of [ownValue(s.backend, given), composedValue(s.backend, given)]) {
          if (results) await affine(s, label, operands, results, none.epsilon, { tolerance: 4 * tolerances.chained });
        }
      }
    }
  });

  await s.test(t, 'batchNorm: a large mean costs the variance no digits', async () => {
    const x = s.array([4, 3, 8, 8], 1000, 1001);
    const ones = s.view({ shape: [3], data: [1, 1, 1] });
    const centred = { shape: x.shape, data: x.data.map((value) => value - 1000.5) };
    const want = { mean: channelStats(x).mean, variance: channelStats(centred).variance };
    const given = { row: batchNorm, inputs: [s.view(x), ones, ones], attrs: { ...none, epsilon: 1e-5 } };
    for (const [origin, run] of Object.entries({ own: ownValue, composed: composedValue })) {
      const stats = () => {
        const [y, mean, variance] = run(s.backend, given) ?? [];
        y?.storage.dispose();
        return mean && variance ? { mean, variance } : ({} as Record<string, View>);
      };
      await s.expect(`1000 … 1001, ${origin}`, stats, want, close);
    }
  });

  await s.test(t, 'batchNorm: a constant channel is its bias, without variance', async () => {
    const x = s.view(s.integers([2, 2, 5], 3, 3));
    const [weight, bias] = [s.view({ shape: [2], data: [1.5, 2] }), s.view({ shape: [2], data: [-1, 7] })];
    const want = {
      out: { shape: [2, 2, 5], data: [-1, 7, -1, 7].flatMap((b) => [b, b, b, b, b]) },
      mean: { shape: [2], data: [3, 3] },
      variance: { shape: [2], data: [0, 0] },
    };
    await expectRow(s, 'constant', { row: batchNorm, inputs: [x, weight, bias], attrs: none }, want, 'exact');
  });

  await s.test(t, 'batchNorm: gradients', async () => {
    const attrs = { ...none, epsilon: 1e-5 };
    for (const shape of SEVERAL) {
      for (const layout of LAYOUT_NAMES) {
        const operands: Operands = [s.array(shape, -2, 3), s.array([shape[1]], 0.5, 2), s.array([shape[1]])];
        const [x, weight] = operands;
        const inputs = operands.map((array) => s.view(array, LAYOUTS[layout]));
        const stored = storedStats(s, x);
        const rstd = { ...stored.variance, data: stored.variance.data.map((v) => 1 / Math.sqrt(v + attrs.epsilon)) };
        const g = s.array(shape);
        const want = batchNormGrad(g, x, stored.mean, rstd, weight);
        const given = { row: batchNorm, inputs, attrs, outputs: [inputs[0], ...stored.views] };
        await expectGradient(s, `[${shape}] ${layout}`, given, s.view(g, LAYOUTS[layout]), want, close);
      }
    }
  });

  await s.test(t, 'batchNorm and what follows it', async () => {
    for (const follower of FOLLOWERS) {
      const run = (shape: readonly number[], layout: LayoutName) => followed(s, shape, follower, layout, tolerances);
      for (const shape of SEVERAL) await run(shape, 'contiguous');
      for (const layout of LAYOUT_NAMES) await run([2, 3, 4, 5], layout);
      await run([2, 1, 17, 16], 'contiguous');
      await run([1, 1, 23, 25], 'contiguous');
    }
  });

  await s.test(t, 'blend', async () => {
    const { blend: own } = s.backend.fast ?? {};
    const ways = {
      ...(own ? { own } : {}),
      composed: (...given: Parameters<typeof blend>) => composed(s.backend, () => blend(...given)),
    };
    for (const [origin, run] of Object.entries(ways)) {
      for (const length of LENGTHS) {
        const [x, into] = [s.array([length]), s.array([length + 2])];
        const whole = s.view(into);
        const done = run(s.view(x, LAYOUTS.reversed), { ...whole, shape: [length], offset: 1 }, 0.75, 0.5);
        s.check(`${origin} ${length}`, done === null ? 'declined' : null);
        const want = into.data.map((old, i) => (i === 0 || i > length ? old : 0.75 * old + 0.5 * x.data[i - 1]));
        s.check(`${origin} ${length}`, compare(await s.read(whole), want, { tolerance: tolerances.chained }));
      }
    }
  });
}

/** Holds y to its definition from the statistics that came with it, and frees all three. */
async function affine(
  s: Subject,
  label: string,
  [x, weight, bias]: Operands,
  results: readonly View[],
  epsilon: number,
  comparison: { readonly tolerance: number },
): Promise<void> {
  const [y, mean, variance] = await Promise.all(results.map((view) => s.read(view)));
  const shape = weight.shape;
  const scale = weight.data.map((w, c) => w / Math.sqrt(variance[c] + epsilon));
  const want = channelAffine(x, { shape, data: mean }, { shape, data: scale }, bias);
  s.check(`${label}, from its statistics`, compare(y, want.data, comparison));
  for (const { storage } of results) storage.dispose();
}

/** Mean and variance as the dtype holds them, and on the backend. */
function storedStats(s: Subject, x: NumberArray) {
  const { mean, variance } = channelStats(x);
  const [m, v] = [mean, variance].map(({ shape, data }) => ({ shape, data: data.map(s.store) }));
  return { mean: m, variance: v, views: [s.view(m), s.view(v)] };
}

/** Value, statistics and gradients of batch norm with one of the followers. */
async function followed(
  s: Subject,
  shape: readonly number[],
  follower: (typeof FOLLOWERS)[number],
  layout: LayoutName,
  tolerances: Tolerances,
): Promise<void> {
  const epsilon = 1e-3;
  const grid = typeof follower === 'string' ? null : follower;
  const scale = s.store(0.31);
  // Values near a jump could fall on either side: such inputs are drawn anew.
  const clear = (at: number) =>
    Math.abs(at) > 1e-5 && (!grid || Math.abs(at / scale - Math.floor(at / scale) - 0.5) > 1e-4);
  let operands = draw(s, shape);
  while (!normalize(operands, epsilon).y.data.every(clear)) operands = draw(s, shape);
  const [x, weight] = operands;
  const { y, mean, variance, rstd } = normalize(operands, epsilon);
  const label = `[${shape}] ${layout}, ${grid ? `${grid.relu ? 'ReLU, ' : ''}${grid.low} … ${grid.high}` : follower}`;
  const inputs = operands.map((array) => s.view(array, LAYOUTS[layout]));
  const outputs = [inputs[0], ...storedStats(s, x).views];
  const g = s.array(shape);
  const vg = s.view(g, LAYOUTS[layout]);

  if (grid) {
    const given = { row: batchNormQuantize, attrs: { epsilon, grid }, outputs, inputs: [...inputs] };
    given.inputs.push(s.view({ shape: [1], data: [scale] }));
    const { value, gradient } = ROW_TOLERANCES.batchNormQuantize(tolerances);
    const out = fakeQuantize(y, scale, grid, (value) => value);
    await expectRow(s, label, given, { out, mean, variance }, value);
    const through = fakeQuantizeGrad(g, y, scale, grid, (value) => value);
    const grads = batchNormGrad(through.x, x, mean, rstd, weight);
    const want = { ...grads, scale: { shape: [1], data: [through.scale] } };
    await expectGradient(s, `${label}, gradients`, given, vg, want, gradient);
    return;
  }
  const isRelu = follower === 'relu';
  const activation = isRelu ? 'relu' : 'none';
  const given = { row: batchNorm, attrs: { epsilon, activation } as const, outputs, inputs };
  const { value, gradient } = ROW_TOLERANCES.batchNorm(tolerances);
  const out = { shape, data: y.data.map((at) => (isRelu ? Math.max(at, 0) : at)) };
  await expectRow(s, label, given, { out, mean, variance }, value);
  const passed = { shape, data: g.data.map((at, i) => (isRelu && y.data[i] <= 0 ? 0 : at)) };
  const want = batchNormGrad(passed, x, mean, rstd, weight);
  await expectGradient(s, `${label}, gradients`, given, vg, want, gradient);
}
