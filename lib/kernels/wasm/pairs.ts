import type { Storage } from '../../tensor/storage.js';
import type { View } from '../../tensor/view.js';
import { ROWS } from './assembly/blocking.js';
import type { Machine } from './machine.js';
import type { Operand } from './plan.js';

/** What a backend knows of a tensor its quantizer has just made: every value is a scale times a small integer. */
export interface Grid {
  /** One scale, or one for each entry of the first axis. */
  readonly scales: Float32Array;
  /** Largest magnitude of an integer. */
  readonly most: number;
}

/** Remembers which tensors lie on grids, for as long as they live. */
export class Grids {
  readonly #known = new WeakMap<Storage, Grid>();

  /** Notes that `view`, whole and just made, lies on a grid. */
  note(view: View, grid: Grid): void {
    if (grid.most <= MOST) this.#known.set(view.storage, grid);
  }

  /** The grid `view` was made on, if it was; what has been written since must be checked. */
  of(view: View): Grid | undefined {
    return this.#known.get(view.storage);
  }
}

/** Largest integer of a pair. */
const MOST = 2 ** 15 - 1;
/** Sums are exact below this. */
const MOST_SUM = 2 ** 31;
/** Growth of values by both passes of F(4×4)'s transforms of patches and of filters, the latter times 24². */
const PATCH_GROWTH = 10 ** 2;
export const FILTER_GROWTH = 24 ** 2;

/** Whether sums of so many products are exact in int32. */
export function fitsPairs(x: Grid, w: Grid, terms: number): boolean {
  return x.most * w.most * terms < MOST_SUM;
}

/**
 * Whether F(4×4) is exact on pairs: its transforms fit into int16, its results into int32. In between sums may wrap around; that
 * cancels out.
 */
export function fitsWinogradPairs(x: Grid, w: Grid, terms: number): boolean {
  if (x.most * PATCH_GROWTH > MOST || w.most * FILTER_GROWTH > MOST) return false;
  return x.most * w.most * terms * FILTER_GROWTH < MOST_SUM;
}

/**
 * Packs `x [N, C, H, W]` and `w [O, C, kh, kw]` for products of pairs and hands them to `work`, with the address of the
 * scale of each output channel over `divisor`. False, and nothing done, if a value is not on its grid after all.
 */
export function withPairs(
  machine: Machine,
  x: { readonly view: View; readonly grid: Grid },
  w: { readonly view: View; readonly grid: Grid },
  divisor: number,
  work: (x: Operand, w: Operand, scales: number) => void,
): boolean {
  const [outputs] = w.view.shape;
  const panelled = Math.ceil(outputs / ROWS) * ROWS;
  return machine.dense([x.view, w.view], (fromX, fromW) =>
    machine.borrow(pairBytes(x.view) + pairBytes(w.view) + panelled * 8 + 64, (buffer) => {
      const to = { x: buffer, w: buffer + pairBytes(x.view) };
      const scales = to.w + pairBytes(w.view);
      const own = scales + panelled * 4;
      const scaleOf = (row: number) => w.grid.scales[w.grid.scales.length === 1 ? 0 : row];
      for (let row = 0; row < outputs; row++) {
        machine.floats[own / 4 + row] = scaleOf(row);
        machine.floats[scales / 4 + row] = (x.grid.scales[0] * scaleOf(row)) / divisor;
      }
      machine.floats.fill(0, scales / 4 + outputs, scales / 4 + panelled);
      const flag = machine.words([0]);
      const packedW = pack(machine, w, fromW, own, 4, to.w, flag);
      if (machine.integers[flag / 4]) return false;
      machine.floats[own / 4] = x.grid.scales[0];
      const packedX = pack(machine, x, fromX, own, 0, to.x, flag);
      if (machine.integers[flag / 4]) return false;
      work(packedX, packedW, scales);
      return true;
    }),
  );
}

function pairBytes({ shape: [images, channels, height, width] }: View): number {
  return images * Math.ceil(channels / 2) * height * width * 4;
}

function pack(
  machine: Machine,
  { view, grid }: { readonly view: View; readonly grid: Grid },
  from: number,
  scales: number,
  scaleStep: number,
  to: number,
  flag: number,
): Operand {
  const [images, channels, height, width] = view.shape;
  const pairs = Math.ceil(channels / 2);
  const pixels = height * width;
  const job = { units: pixels === 1 ? images : images * pairs, pieces: 4, cost: pixels === 1 ? channels : pixels };
  machine.run('packPairs', job, from, scales, scaleStep, channels, pixels, grid.most, to, flag);
  return {
    address: to,
    shape: [images, pairs, height, width],
    strides: [pairs * pixels, pixels, width, 1],
  };
}
