import type { Storage } from '../../tensor/storage.js';
import type { View } from '../../tensor/view.js';

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
 * Whether F(4×4) is exact on pairs: its transforms fit into int16, its results into int32. In between sums may wrap
 * around; that cancels out.
 */
export function fitsWinogradPairs(x: Grid, w: Grid, terms: number): boolean {
  if (x.most * PATCH_GROWTH > MOST || w.most * FILTER_GROWTH > MOST) return false;
  return x.most * w.most * terms * FILTER_GROWTH < MOST_SUM;
}
