import type { Test } from 'tap';
import {
  a2qPenalty,
  a2qPenaltyGrad,
  a2qWeights,
  a2qWeightsGrad,
  boundWeights,
  boundWeightsGrad,
  distanceToJump,
  type NumberArray,
  scaleAndNorm,
} from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import type { Subject } from './subject.js';

const BOUNDS = [
  { limit: 7, centred: false },
  { limit: 7, centred: true },
  { limit: 1, centred: true },
  { limit: 127, centred: false },
];

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
  const run = async (
    label: string,
    shape: readonly number[],
    bound: (typeof BOUNDS)[number],
    layout: keyof typeof LAYOUTS,
  ) => {
    const scale = s.array([shape[0], 1], 0.1, 0.6);
    const { w, norm } = clearOfJumps(() => ({ w: s.array(shape, -2, 2), norm: s.array([shape[0], 1], 3, 60) }), bound);
    const g = s.array(shape);
    const [vg, vw] = [s.view(g, LAYOUTS[layout]), s.view(w, LAYOUTS[layout])];
    const [vr, vs] = [s.view(norm), s.view(scale)];
    const name = `${label}, Q = ${bound.limit}${bound.centred ? ', centred' : ''}`;
    const value = { out: boundWeights(w, norm, scale, bound) };
    const chained = { tolerance: tolerances.chained };
    await s.expectFused(name, (k) => ({ out: k.boundWeights(vw, vr, vs, bound) }), value, chained);
    const grads = boundWeightsGrad(g, w, norm, scale, bound);
    const accumulated = { tolerance: tolerances.accumulated };
    await s.expectFused(
      `${name}, gradients`,
      (k) => ({ ...k.boundWeightsGrad(vg, vw, vr, vs, bound) }),
      grads,
      accumulated,
    );
  };

  await s.test(t, 'boundWeights', async () => {
    for (const bound of BOUNDS) {
      for (const length of LENGTHS) if (length > 1) await run(`3 × ${length}`, [3, length], bound, 'contiguous');
      for (const layout of LAYOUT_NAMES) await run(layout, [4, 9], bound, layout);
      await run('long rows', [2, 70], bound, 'contiguous');
    }
  });

  await s.test(t, 'boundWeights: a channel without weights', async () => {
    const w = s.view({ shape: [2, 5], data: [0, 0, 0, 0, 0, 3, 3, 3, 3, 3] });
    const ones = s.view({ shape: [2, 1], data: [1, 1] });
    const bound = { limit: 7, centred: true };
    const want = { out: { shape: [2, 5], data: new Array<number>(10).fill(0) } };
    await s.expectFused('all zero or all equal', (k) => ({ out: k.boundWeights(w, ones, ones, bound) }), want, 'exact');
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
      return { d, t, w: s.array(flat(shape), -2, 2), norm: scaleAndNorm(d, t, budget).norm };
    }, bound);
    const { d, t } = drawn;
    const w = { shape, data: drawn.w.data };
    const g = s.array(shape);
    const [vg, vw] = [s.view(g, LAYOUTS[layout]), s.view(w, LAYOUTS[layout])];
    const [vd, vt] = [s.view(d, LAYOUTS[layout]), s.view(t, LAYOUTS[layout])];
    const cap = { ...bound, budget };
    const name = `${label}, Q = ${bound.limit}${bound.centred ? ', centred' : ''}`;
    const value = { out: a2qWeights(w, d, t, cap) };
    const chained = { tolerance: 4 * tolerances.chained };
    await s.expectFused(name, (k) => ({ out: k.a2qWeights(vw, vd, vt, cap) }), value, chained);
    const grads = a2qWeightsGrad(g, w, d, t, cap);
    const accumulated = { tolerance: 4 * tolerances.accumulated };
    await s.expectFused(
      `${name}, gradients`,
      (k) => ({ ...k.a2qWeightsGrad(vg, vw, vd, vt, cap) }),
      grads,
      accumulated,
    );
  };

  await s.test(t, 'a2qWeights', async () => {
    for (const bound of BOUNDS) {
      for (const length of LENGTHS) if (length > 1) await layer(`3 × ${length}`, [3, length], bound, 'contiguous');
      for (const layout of LAYOUT_NAMES) await layer(layout, [4, 3, 3, 1], bound, layout);
      await layer('long rows', [2, 70], bound, 'contiguous');
    }
    for (const centred of [false, true]) {
      await layer('rows of several runs', [2, 530], { limit: 2, centred }, 'contiguous', 3000.3);
    }
    await layer('no channels', [0, 4], BOUNDS[1], 'contiguous');
  });

  await s.test(t, 'a2qWeights: a channel without weights', async () => {
    const w = s.view({ shape: [2, 5], data: [0, 0, 0, 0, 0, 3, 3, 3, 3, 3] });
    const zero = s.view({ shape: [2], data: [0, 0] });
    const bound = { limit: 7, centred: true, budget: 4 };
    const want = { out: { shape: [2, 5], data: new Array<number>(10).fill(0) } };
    await s.expectFused('all zero or all equal', (k) => ({ out: k.a2qWeights(w, zero, zero, bound) }), want, 'exact');
  });

  await s.test(t, 'a2qPenalty', async () => {
    for (const length of LENGTHS) {
      const [d, t] = [s.array([length], -3, 1), s.array([length], -1, 4)];
      const gradient = s.array([]);
      const [vd, vt, vg] = [s.view(d), s.view(t), s.view(gradient)];
      const want = { out: { shape: [], data: [a2qPenalty(d, t, 5)] } };
      const close = { tolerance: tolerances.accumulated };
      await s.expectFused(`${length} channels`, (k) => ({ out: k.a2qPenalty(vd, vt, 5) }), want, close);
      const grads = a2qPenaltyGrad(gradient.data[0], d, t, 5);
      await s.expectFused(`${length}, gradients`, (k) => ({ ...k.a2qPenaltyGrad(vg, vd, vt, 5) }), grads, close);
    }
  });
}
