import { checkBits } from '../../quant/integerRange.js';
import { asInteger, asOptions, kindOf } from '../../tensor/argument.js';
import { QuantError } from '../../tensor/errors.js';
import { makeRegister, type Overflow, type Register } from './register.js';

/**
 * How the products of an output are brought together: `sequential`, one after the other into one register; `pairwise`,
 * neighbours first, then the sums of neighbours, as an adder tree does; or in tiles.
 */
export type Summation = 'sequential' | 'pairwise' | Tiled;

/** Multi-stage accumulation: tiles of terms, each in an inner register; their sums one after the other in an outer. */
export interface Tiled {
  /** T, terms of a tile. */
  readonly tile: number;
  /** P_I of the inner registers; default: that of the outer one. */
  readonly innerBits?: number;
}

/** What every {@link Summation} comes to: tiles of terms, summed in the inner register, and these sums in the outer. */
export interface SumScheme {
  readonly tile: number;
  /** Whether the tiles' sums meet as neighbours in a tree; else one after the other. */
  readonly tree: boolean;
  readonly inner: Register;
  readonly outer: Register;
}

/**
 * The outer register that holds whatever inner ones do: `P_O = P_I + ⌈log2 ⌈K/T⌉⌉`.
 * @param innerBits P_I @param length K, terms of an output @param tile T, terms of a tile
 * @throws QuantError if P_I is not 1 … 32; ArgumentError if a length is no positive integer
 * @example
 * outerAccumulatorBits(8, 576, 64); // 12
 */
export function outerAccumulatorBits(innerBits: number, length: number, tile: number): number {
  checkBits('outerAccumulatorBits', 'inner accumulator bits P_I', innerBits);
  asInteger('outerAccumulatorBits', 'K', length, 1);
  asInteger('outerAccumulatorBits', 'T', tile, 1);
  return innerBits + Math.ceil(Math.log2(Math.ceil(length / tile)));
}

/** @throws QuantError on a bad width, mode or summation, or an outer register that is narrower than the inner one */
export function makeScheme(
  summation: Summation,
  length: number,
  accumulatorBits: number,
  overflow: Overflow,
): SumScheme {
  const outer = makeRegister(accumulatorBits, overflow);
  if (summation === 'sequential') return { tile: Math.max(1, length), tree: false, inner: outer, outer };
  if (summation === 'pairwise') return { tile: 1, tree: true, inner: outer, outer };
  if (typeof summation !== 'object' || summation === null) {
    throw new QuantError('accumulate', `summation is sequential, pairwise or tiles; got ${kindOf(summation)}`);
  }
  const { tile, innerBits = accumulatorBits } = asOptions('accumulate', summation, 'summation');
  asInteger('accumulate', 'T, the terms of a tile,', tile, 1);
  const inner = makeRegister(innerBits, overflow);
  if (inner.bits > outer.bits) {
    throw new QuantError('accumulate', `an outer register of ${outer.bits} bits cannot add up those of ${inner.bits}`);
  }
  return { tile, tree: false, inner, outer };
}
