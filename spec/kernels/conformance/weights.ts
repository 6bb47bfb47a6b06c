import type { Test } from 'tap';
import { boundWeights, boundWeightsGrad, distanceToJump, type NumberArray } from '../../oracle.js';
import type { Tolerances } from '../../tolerances.js';
import { LAYOUT_NAMES, LAYOUTS, LENGTHS } from './layouts.js';
import type { Subject } from './subject.js';

const BOUNDS = [
  { limit: 7, centred: false },
  { limit: 7, centred: true },
  { limit: 1, centred: true },
  { limit: 127, centred: false },
];

/** Weights whose quotients keep clear of the jumps of truncation, so that every correct program takes the same side. */
function clearWeights(
  s: Subject,
  shape: readonly number[],
  norm: NumberArray,
  bound: (typeof BOUNDS)[number],
): NumberArray {
  for (let tries = 0; tries < 1000; tries++) {
    const w = s.array(shape, -2, 2);
    if (distanceToJump(w, norm, bound) > 1e-3) return w;
  }
  throw new Error(`no weights of shape [${shape}] keep clear of the jumps`);
}

/** Accumulator-aware weights with their straight-through gradients. */
export async function weightConformance(t: Test, s: Subject, tolerances: Tolerances): Promise<void> {
  const run = async (
    label: string,
    shape: readonly number[],
    bound: (typeof BOUNDS)[number],
    layout: keyof typeof LAYOUTS,
  ) => {
    const norm = s.array([shape[0], 1], 3, 60);
    const scale = s.array([shape[0], 1], 0.1, 0.6);
    const w = clearWeights(s, shape, norm, bound);
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
}
