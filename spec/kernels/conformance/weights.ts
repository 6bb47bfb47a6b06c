import type { Test } from 'tap';
import { a2qRows } from '../../../lib/quant/a2qWeights.js';
import {
  a2qPenalty,
  a2qPenaltyGrad,
  a2qWeights,
  a2qWeightsGrad,
  distanceToJump,
  type NumberArray,
  scaleAndNorm,
  WIDE,
} from '../../oracle.js';
import { ROW_TOLERANCES, type Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import { expectGradient, expectRow } from './rows.js';
import type { Subject } from './subject.js';

const BOUNDS = [
  { limit: 7, centred: false, accumulator: WIDE },
  { limit: 7, centred: true, accumulator: WIDE },
  { limit: 1, centred: true, accumulator: WIDE },
  { limit: 127, centred: false, accumulator: WIDE },
  // Too narrow for most of what is drawn.
  { limit: 7, centred: false, accumulator: { bits: 5, low: 0, high: 3 } },
  { limit: 7, centred: true, accumulator: { bits: 6, low: -4, high: 3 } },
];

/** Parameters of a layer, its weights as rows. */
interface Drawn {
  readonly w: NumberArray;
  readonly d: NumberArray;
  readonly t: NumberArray;
  readonly budget: number;
}

/** The same, and r of each channel. */
function withNorm(drawn: Drawn): Drawn & { readonly norm: NumberArray } {
  return { ...drawn, norm: scaleAndNorm(drawn.d, drawn.t, drawn.budget).norm };
}

/** Draws until the quotients of the weights keep clear of the jumps of truncation, so that correct programs agree. */
function clearOfJumps<T extends { readonly w: NumberArray; readonly norm: NumberArray }>(
  draw: () => T,
  bound: (typeof BOUNDS)[number],
): T {
  for (let tries = 0; tries < 1000; tries++) {
    const drawn = draw();
    if (distanceToJump(drawn.w, drawn.norm, bound) > 1e-3) return drawn;
  }
  throw new Error(`no weights of shape [${draw().w.shape}] keep clear of the jumps`);
}

/** As rows of `[O, K]`. */
function flat(shape: readonly number[]): readonly number[] {
  return [shape[0], shape.slice(1).reduce((size, extent) => size * extent, 1)];
}

/** Accumulator-aware weights with their straight-through gradients. */
export async function weightConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const { a2qWeights: weightsRow, a2qPenalty: penaltyRow } = a2qRows;

  /** One layer: the value and the gradients of drawn weights, logarithms d and t, and budget, in a layout. */
  const check = async (
    label: string,
    shape: readonly number[],
    { w: rows, d, t, budget }: Drawn,
    bound: (typeof BOUNDS)[number],
    layout: keyof typeof LAYOUTS,
    { value, gradient }: ReturnType<typeof ROW_TOLERANCES.a2qWeights>,
  ) => {
    const w = { shape, data: rows.data };
    const g = s.array(shape);
    const [vg, vw, vd, vt] = [g, w, d, t].map((array) => s.view(array, LAYOUTS[layout]));
    const attrs = { ...bound, budget };
    const name = `${label}, Q = ${bound.limit}${bound.centred ? ', centred' : ''}`;
    const given = { row: weightsRow, inputs: [vw, vd, vt], attrs };
    await expectRow(s, name, given, { out: a2qWeights(w, d, t, attrs) }, value);
    await expectGradient(s, `${name}, gradients`, given, vg, a2qWeightsGrad(g, w, d, t, attrs), gradient);
  };

  /**
   * With whole d and t, so that s and g are powers of two and no exponential errs: r = g/s, or the budget where that is
   * larger. Rows of two or three centred weights need the budget: v/p is half of r there, where truncation jumps.
   */
  const exact = async (
    label: string,
    shape: readonly number[],
    bound: (typeof BOUNDS)[number],
    layout: keyof typeof LAYOUTS,
  ) => {
    const least = shape[1] > 3 ? 1 : 6;
    const drawn = clearOfJumps(() => {
      const d = s.integers([shape[0]], -3, -1);
      const ratio = s.integers([shape[0]], least, 6);
      const t = { shape: [shape[0]], data: d.data.map((x, c) => x + ratio.data[c]) };
      return withNorm({ d, t, budget: s.store(s.random.uniform(3, 60)), w: s.array(flat(shape), -2, 2) });
    }, bound);
    const tight = { value: { tolerance: tolerances.chained }, gradient: { tolerance: tolerances.accumulated } };
    await check(label, shape, drawn, bound, layout, tight);
  };

  await s.test(t, 'a2qWeights of exact scales and norms', async () => {
    for (const bound of BOUNDS) {
      for (const length of LENGTHS) if (length > 1) await exact(`3 × ${length}`, [3, length], bound, 'contiguous');
      for (const layout of LAYOUT_NAMES) await exact(layout, [4, 9], bound, layout);
      await exact('long rows', [2, 70], bound, 'contiguous');
    }
  });

  const layer = async (
    label: string,
    shape: readonly number[],
    bound: (typeof BOUNDS)[number],
    layout: keyof typeof LAYOUTS,
    // Not an integer: v/p of a row of two or three is half of it, where truncation jumps.
    budget = 20.7,
  ) => {
    const drawn = clearOfJumps(() => {
      const d = s.array([shape[0]], -3, -1);
      const ratio = s.array([shape[0]], budget / 8, budget * 2);
      const t = { shape: [shape[0]], data: d.data.map((x, c) => s.store(x + Math.log2(ratio.data[c]))) };
      return withNorm({ d, t, budget, w: s.array(flat(shape), -2, 2) });
    }, bound);
    await check(label, shape, drawn, bound, layout, ROW_TOLERANCES.a2qWeights(tolerances));
  };

  await s.test(t, 'a2qWeights', async () => {
    for (const bound of BOUNDS) {
      for (const length of LENGTHS) if (length > 1) await layer(`3 × ${length}`, [3, length], bound, 'contiguous');
      for (const layout of LAYOUT_NAMES) await layer(layout, [4, 3, 3, 1], bound, layout);
      await layer('long rows', [2, 70], bound, 'contiguous');
    }
    for (const centred of [false, true]) {
      await layer('rows of several runs', [2, 530], { limit: 2, centred, accumulator: WIDE }, 'contiguous', 3000.3);
    }
    await layer('no channels', [0, 4], BOUNDS[1], 'contiguous');
  });

  await s.test(t, 'a2qWeights: a channel without weights', async () => {
    const w = s.view({ shape: [2, 5], data: [0, 0, 0, 0, 0, 3, 3, 3, 3, 3] });
    const zero = s.view({ shape: [2], data: [0, 0] });
    const want = { out: { shape: [2, 5], data: new Array<number>(10).fill(0) } };
    for (const budget of [1, 4]) {
      const given = { row: weightsRow, inputs: [w, zero, zero], attrs: { ...BOUNDS[1], budget } };
      await expectRow(s, 'all zero or all equal', given, want, 'exact');
    }
  });

  await s.test(t, 'a2qPenalty', async () => {
    const { value, gradient: slope } = ROW_TOLERANCES.a2qPenalty(tolerances);
    for (const length of LENGTHS) {
      const [d, t] = [s.array([length], -3, 1), s.array([length], -1, 4)];
      const gradient = s.array([]);
      const given = { row: penaltyRow, inputs: [s.view(d), s.view(t)], attrs: { budget: 5 } };
      const want = { out: { shape: [], data: [a2qPenalty(d, t, 5)] } };
      await expectRow(s, `${length} channels`, given, want, value);
      const grads = a2qPenaltyGrad(gradient.data[0], d, t, 5);
      await expectGradient(s, `${length}, gradients`, given, s.view(gradient), grads, slope);
    }
  });
}
