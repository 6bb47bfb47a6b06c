import type { InputBounds } from '../../quant/accumulator.js';
import { asInstance, asOptions } from '../../tensor/argument.js';
import { QuantError, ShapeError } from '../../tensor/errors.js';
import { checkShape } from '../../tensor/shape.js';
import type { SumHistogram } from './histogram.js';
import { LaneAccumulators } from './lanes.js';
import type { Overflow } from './register.js';
import { makeScheme, type Summation } from './summation.js';
import { compileRows, LANES } from './weights.js';

/** How to accumulate. */
export interface AccumulateOptions {
  /** P, 1 to 32; with tiles that of the outer register. */
  readonly accumulatorBits: number;
  readonly overflow: Overflow;
  /** How the products of an output meet. Default `sequential`. */
  readonly summation?: Summation;
  /** The order of an output's K products: a permutation of `0 … K − 1`, by default row-major over its weights. */
  readonly order?: ArrayLike<number>;
  /** Counts every partial sum; much slower. Default none. */
  readonly histogram?: SumHistogram | null;
}

/** Integers and their shape, row-major. */
export interface IntegerArray {
  readonly data: Int32Array;
  readonly shape: readonly number[];
}

/** Outputs, and what happened on the way to them. */
export interface Accumulated {
  /** Integers; with `exact` also beyond int32. */
  readonly y: { readonly data: Float64Array; readonly shape: readonly number[] };
  /** Partial sums that fell outside −2^(P−1) … 2^(P−1) − 1, before the register wrapped or saturated them. */
  readonly overflows: number;
  /** Outputs with at least one such partial sum. */
  readonly outputsAffected: number;
  /**
   * Partial sums: a nonzero weight makes one per output, whatever its input, and so does each tile, pair or sum of
   * pairs that is added to another. Those of outputs that no input met could make overflow are known without a look.
   */
  readonly sums: number;
}

/** One batch of dot products: every row of a group's weights with every input vector of that group. */
export interface DotProducts {
  /** `[groups · rowsPerGroup, length]`. */
  readonly weights: Int32Array;
  readonly length: number;
  readonly groups: number;
  /** Number of input vectors, equal for all groups. */
  readonly vectors: number;
  /** The extremes of the inputs, 0 included. */
  readonly inputs: InputBounds;
  /** Writes input vector `vector` of a group to `panel[k·LANES + lane]`, k = 0 … length − 1. */
  gather(group: number, vector: number, panel: Int32Array, lane: number): void;
  /** Where the output of a weight row and an input vector goes. */
  outputIndex(row: number, vector: number): number;
}

/** Simulates dot products on a P-bit accumulator, into `y`. @throws QuantError on a bad width, mode or order. */
export function accumulate(
  work: DotProducts,
  options: AccumulateOptions,
  y: Float64Array,
): Pick<Accumulated, 'overflows' | 'outputsAffected' | 'sums'> {
  const { length, groups, vectors } = work;
  const { accumulatorBits, overflow, summation = 'sequential', histogram = null } = asOptions('accumulate', options);
  const scheme = makeScheme(summation, length, accumulatorBits, overflow);
  const order = checkedOrder(length, options.order);
  const plan = compileRows(work.weights, length, order, work.inputs, scheme, histogram !== null);
  const rowsPerGroup = plan.paths.length / groups;
  const panel = new Int32Array(length * LANES);
  const lanes = new LaneAccumulators(plan, scheme, histogram);
  for (let group = 0; group < groups; group++) {
    for (let vector = 0; vector < vectors; vector += LANES) {
      const used = Math.min(LANES, vectors - vector);
      if (used < LANES) panel.fill(0);
      for (let lane = 0; lane < used; lane++) work.gather(group, vector + lane, panel, lane);
      for (let row = group * rowsPerGroup; row < (group + 1) * rowsPerGroup; row++) {
        lanes.sumRow(row, panel, used);
        for (let lane = 0; lane < used; lane++) y[work.outputIndex(row, vector + lane)] = lanes.slots[lane];
      }
    }
  }
  const { overflows, outputsAffected } = lanes;
  return { overflows, outputsAffected, sums: plan.sums * vectors };
}

/** The smallest and largest of the inputs and 0. */
export function inputExtremes(x: Int32Array): InputBounds {
  let low = 0;
  let high = 0;
  for (const value of x) {
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  return { low, high };
}

/** Refuses arrays whose data do not fill their shape, or of another rank. @throws ShapeError. */
export function checkIntegers(op: string, name: string, array: IntegerArray, rank: number): void {
  checkShape(op, asOptions(op, array, name).shape);
  asInstance(op, `the data of ${name}`, array.data, Int32Array);
  const size = array.shape.reduce((product, extent) => product * extent, 1);
  if (array.shape.length !== rank) throw new ShapeError(op, `${name} must have ${rank} axes`, [array.shape]);
  if (array.data.length !== size)
    throw new ShapeError(op, `${name} holds ${array.data.length} integers, its shape wants ${size}`, [array.shape]);
}

function checkedOrder(length: number, order: ArrayLike<number> | undefined): Int32Array {
  if (order === undefined) return Int32Array.from({ length }, (_, k) => k);
  const terms = new Set(Array.from(order));
  const inside = Array.from(terms).every((k) => Number.isInteger(k) && k >= 0 && k < length);
  if (order.length !== length || terms.size !== length || !inside)
    throw new QuantError('accumulate', `order must be a permutation of 0 … ${length - 1}`);
  return Int32Array.from(order);
}
