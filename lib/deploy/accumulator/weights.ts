import type { InputBounds } from '../../quant/accumulator.js';
import { QuantError } from '../../tensor/errors.js';
import type { Register } from './register.js';
import type { SumScheme } from './summation.js';

/** Input vectors one pass works on side by side. */
export const LANES = 4;

/**
 * How a row is to be summed: `free` in plain int32 arithmetic, where no input that is met can leave any register;
 * `narrow` in int32 arithmetic with each sum checked; `wide` in doubles, where int32 could pass its limits.
 */
export type RowPath = 'free' | 'narrow' | 'wide';

/**
 * The nonzero weights of every row, in the order they are accumulated, and how their sums meet. Zeros are left out:
 * they change no register; so are tiles of zeros.
 */
export interface SumPlan {
  /** Row r has the tiles `rowTiles[r] … rowTiles[r + 1] − 1`; `[rows + 1]`. */
  readonly rowTiles: Int32Array;
  /** Tile t has the entries `tileStarts[t] … tileStarts[t + 1] − 1`; `[tiles + 1]`. */
  readonly tileStarts: Int32Array;
  /** Where an entry's inputs begin in a panel: k·LANES. */
  readonly offsets: Int32Array;
  readonly values: Int32Array;
  /** Pairs of tiles of a row, counted from its first: the second is added to the first; one pair fewer than tiles. */
  readonly merges: readonly Int32Array[];
  readonly paths: readonly RowPath[];
  /** Partial sums of one pass over all rows. */
  readonly sums: number;
}

/** Largest magnitude int32 arithmetic may meet in the narrow path, a factor of 2 below where it would wrap unseen. */
const NARROW_LIMIT = 2 ** 30;

/**
 * Compiles rows of integer weights for registers.
 *
 * @param w `[rows, length]`.
 * @param order the order of accumulation, a permutation of `0 … length − 1`.
 * @param inputs the smallest and largest input that will be met, 0 included.
 * @param watched whether every partial sum is to be seen, so that none may be left out
 * @throws QuantError if sums could pass 2^52, where no path is exact.
 */
export function compileRows(
  w: Int32Array,
  length: number,
  order: Int32Array,
  inputs: InputBounds,
  scheme: SumScheme,
  watched: boolean,
): SumPlan {
  const rows = w.length / length;
  const rowTiles = new Int32Array(rows + 1);
  const tileStarts: number[] = [0];
  const offsets = new Int32Array(w.length);
  const values = new Int32Array(w.length);
  const merges: Int32Array[] = [];
  const paths: RowPath[] = [];
  let entries = 0;
  for (let row = 0; row < rows; row++) {
    const first = entries;
    const places: number[] = [];
    for (let at = 0; at < length; at++) {
      const weight = w[row * length + order[at]];
      if (weight === 0) continue;
      const place = Math.floor(at / scheme.tile);
      if (places.at(-1) !== place) {
        if (places.length > 0) tileStarts.push(entries);
        places.push(place);
      }
      offsets[entries] = order[at] * LANES;
      values[entries++] = weight;
    }
    if (places.length > 0) tileStarts.push(entries);
    rowTiles[row + 1] = rowTiles[row] + places.length;
    merges.push(
      scheme.tree ? treeMerges(places) : Int32Array.from({ length: places.length * 2 }, slotsInTurn).slice(2),
    );
    const tiles = tileStarts.slice(rowTiles[row], rowTiles[row + 1] + 1);
    paths.push(choosePath(values.subarray(0, entries), first, tiles, inputs, scheme, watched));
  }
  return {
    ...{ rowTiles, merges, paths, tileStarts: Int32Array.from(tileStarts) },
    ...{ offsets: offsets.subarray(0, entries), values: values.subarray(0, entries) },
    sums: entries + merges.reduce((sum, pairs) => sum + pairs.length / 2, 0),
  };
}

/** 0, 0, 0, 1, 0, 2, …: every tile is added to the first. */
const slotsInTurn = (_: unknown, i: number) => (i % 2 === 0 ? 0 : i >> 1);

/** Neighbours of places `0, 1, 2, …` meet, level by level; where one of them is missing nothing is added. */
function treeMerges(places: readonly number[]): Int32Array {
  const pairs: number[] = [];
  let level = places.map((place, slot) => ({ place, slot }));
  while (level.length > 1) {
    const above: typeof level = [];
    for (const { place, slot } of level) {
      const parent = place >> 1;
      const left = above.at(-1);
      if (left?.place === parent) pairs.push(left.slot, slot);
      else above.push({ place: parent, slot });
    }
    level = above;
  }
  return Int32Array.from(pairs);
}

interface Reach {
  readonly min: number;
  readonly max: number;
}

/** The sums that entries can make, of any part of them and in any order. */
function reachOf(values: Int32Array, from: number, to: number, { low, high }: InputBounds): Reach {
  let alpha = 0;
  let beta = 0;
  for (let entry = from; entry < to; entry++) {
    if (values[entry] > 0) alpha += values[entry];
    else beta += values[entry];
  }
  return { min: low * alpha + high * beta, max: high * alpha + low * beta };
}

const holds = ({ low, high }: Register, { min, max }: Reach) => min >= low && max <= high;

function choosePath(
  values: Int32Array,
  first: number,
  tiles: readonly number[],
  inputs: InputBounds,
  { inner, outer }: SumScheme,
  watched: boolean,
): RowPath {
  const row = reachOf(values, first, values.length, inputs);
  let largest = 0;
  for (let entry = first; entry < values.length; entry++) largest = Math.max(largest, Math.abs(values[entry]));
  // One step goes at most a product beyond what the register held; without limits it may hold the whole sum.
  const product = largest * Math.max(inputs.high, -inputs.low);
  const held = inner.overflow === 'exact' ? Math.max(row.max, -row.min) : 0;
  if (held + product >= 2 ** 52)
    throw new QuantError('accumulate', `sums may reach ${held + product}; simulation is exact below 2^52`);
  if (watched) return 'wide';
  const fits =
    holds(outer, row) &&
    tiles.every((from, i) => i + 1 === tiles.length || holds(inner, reachOf(values, from, tiles[i + 1], inputs)));
  if (fits) return 'free';
  return inner.bits <= 30 && held + product < NARROW_LIMIT ? 'narrow' : 'wide';
}
