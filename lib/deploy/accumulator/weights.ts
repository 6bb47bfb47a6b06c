import type { InputBounds } from '../../quant/accumulator.js';
import { QuantError } from '../../tensor/errors.js';
import type { Register } from './register.js';

/** Input vectors one pass works on side by side. */
export const LANES = 4;

/** How a row is to be summed: in int32 arithmetic, or in doubles where that could pass its limits. */
export type RowPath = 'narrow' | 'wide';

/** The nonzero weights of every row, in the order they are accumulated. Zeros are left out: they change no register. */
export interface SparseRows {
  /** Row r holds entries `starts[r] … starts[r + 1] − 1`; `[rows + 1]`. */
  readonly starts: Int32Array;
  /** Where an entry's inputs begin in a panel: k·LANES. */
  readonly offsets: Int32Array;
  readonly values: Int32Array;
  readonly paths: readonly RowPath[];
}

/** Largest magnitude int32 arithmetic may meet in the narrow path, a factor of 2 below where it would wrap unseen. */
const NARROW_LIMIT = 2 ** 30;

/**
 * Compiles rows of integer weights for a register.
 *
 * @param w `[rows, length]`.
 * @param order the order of accumulation, a permutation of `0 … length − 1`.
 * @param inputs the smallest and largest input that will be met, 0 included.
 * @throws QuantError if sums could pass 2^53, where no path is exact.
 */
export function compileRows(
  w: Int32Array,
  length: number,
  order: Int32Array,
  inputs: InputBounds,
  register: Register,
): SparseRows {
  const rows = w.length / length;
  const starts = new Int32Array(rows + 1);
  const offsets = new Int32Array(w.length);
  const values = new Int32Array(w.length);
  const paths: RowPath[] = [];
  let entries = 0;
  for (let row = 0; row < rows; row++) {
    for (const k of order) {
      const weight = w[row * length + k];
      if (weight === 0) continue;
      offsets[entries] = k * LANES;
      values[entries++] = weight;
    }
    starts[row + 1] = entries;
    paths.push(choosePath(values.subarray(starts[row], entries), inputs, register));
  }
  return { starts, offsets: offsets.subarray(0, entries), values: values.subarray(0, entries), paths };
}

function choosePath(row: Int32Array, inputs: InputBounds, register: Register): RowPath {
  let alpha = 0;
  let beta = 0;
  let largest = 0;
  for (const weight of row) {
    if (weight > 0) alpha += weight;
    else beta += weight;
    largest = Math.max(largest, Math.abs(weight));
  }
  const max = inputs.high * alpha + inputs.low * beta;
  const min = inputs.low * alpha + inputs.high * beta;
  // One step goes at most a product beyond what the register held; without limits it may hold the whole sum.
  const product = largest * Math.max(inputs.high, -inputs.low);
  const held = register.overflow === 'exact' ? Math.max(max, -min) : 0;
  if (held + product >= 2 ** 52)
    throw new QuantError('accumulate', `sums may reach ${held + product}; simulation is exact below 2^52`);
  return register.bits <= 30 && held + product < NARROW_LIMIT ? 'narrow' : 'wide';
}
