import type { Finish } from './finish.js';
import { bytesOf, type Grid, type Place } from './places.js';
import type { TapWeights } from './taps.js';

/** What the kernel of a convolution needs besides its weights. */
export interface Ends {
  readonly x: Place;
  readonly finish: Finish;
  readonly out: Place;
  /** Nanoseconds of sixteen pixels. */
  readonly cost: number;
}

/** The last arguments of all kernels of sums. */
export function resultArguments({ finish, out }: Pick<Ends, 'finish' | 'out'>): readonly number[] {
  const plane = out.grid.lanes * bytesOf(out.width);
  return [finish.kind, finish.records, finish.step, out.grid.mask, out.address, plane];
}

/** What the pixels of a block read: from the first pixel's first tap on, so many pixels of each plane. */
export function reach({ window }: TapWeights, { block, rowStep }: Grid): { first: number; span: number } {
  const within = window.taps.map(({ down, across }) => down * rowStep + across);
  const first = Math.min(...within);
  return { first, span: Math.ceil((block + Math.max(...within) - first) / 16) * 16 };
}
