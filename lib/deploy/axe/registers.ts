import { type InputBounds, worstCase } from '../../quant/accumulator.js';
import { accumulatorRange } from '../../quant/integerRange.js';
import { l1BallThreshold } from '../../quant/projection.js';
import { asInteger, asOptions } from '../../tensor/argument.js';
import { QuantError } from '../../tensor/errors.js';

/** Registers of P bits, each of which sums T terms of a dot product. */
export interface TiledRegister {
  /** P. */
  readonly bits: number;
  /** T. */
  readonly tile: number;
  /** c and d. */
  readonly input: InputBounds;
}

/**
 * The registers of one output channel while its weights are chosen one by one, in any order: α and β of each tile, and
 * so how far a weight may still go. The exact test of `accumulator.ts`, run forward.
 */
export class ChannelRegisters {
  readonly #register: TiledRegister;
  readonly #thresholds: Float64Array;
  readonly #above: Float64Array;
  readonly #below: Float64Array;

  /**
   * @param weights `[K]` of the channel, in steps of its grid
   * @throws QuantError on a bad P, T or input range
   */
  constructor(register: TiledRegister, weights: Float64Array) {
    const { bits, tile, input } = checkedRegister(register);
    const { low, high } = accumulatorRange(bits);
    const tiles = Math.ceil(weights.length / tile);
    const radius = (2 ** bits - 2) / (input.high - input.low);
    this.#register = register;
    this.#thresholds = Float64Array.from({ length: tiles }, (_, i) => {
      const own = weights.subarray(i * tile, (i + 1) * tile);
      const mean = own.reduce((sum, w) => sum + w, 0) / own.length;
      return l1BallThreshold(
        own.map((w) => w - mean),
        radius,
      );
    });
    this.#above = new Float64Array(tiles).fill(high);
    this.#below = new Float64Array(tiles).fill(-low);
  }

  /** `sign(w)·max(|w| − θ, 0)`, θ the threshold of Duchi's projection of the centred tile that k is in. */
  shrink(k: number, w: number): number {
    const left = Math.abs(w) - this.#thresholds[Math.floor(k / this.#register.tile)];
    return left > 0 ? Math.sign(w) * left : 0;
  }

  /** The integer nearest to q that the register of weight k still holds; it then counts. */
  take(k: number, q: number): number {
    const { tile, input } = this.#register;
    const at = Math.floor(k / tile);
    const [up, down] = q > 0 ? [input.high, -input.low] : [-input.low, input.high];
    const kept = Math.min(Math.abs(q), units(this.#above[at], up), units(this.#below[at], down));
    this.#above[at] -= up * kept;
    this.#below[at] -= down * kept;
    return Math.sign(q) * kept + 0;
  }
}

/** How many units of `cost` are left. */
function units(left: number, cost: number): number {
  return cost === 0 ? Number.POSITIVE_INFINITY : Math.floor(left / cost);
}

function checkedRegister(register: TiledRegister): TiledRegister {
  const { tile, input } = asOptions('axe', register, 'the register');
  asInteger('axe', 'tile', tile, 1);
  const { low, high } = asOptions('axe', input, 'the range of inputs');
  if (low <= 0 && high >= 0 && low < high) return register;
  throw new QuantError('axe', `inputs must be a range of integers that holds 0; got ${low} … ${high}`);
}

/**
 * The exact test of tiles: the narrowest register that sums any T terms in a row, of any channel, for all inputs.
 * @param q `[O, K]` row-major integers
 */
export function tileBits(q: ArrayLike<number>, channels: number, { tile, input }: Omit<TiledRegister, 'bits'>): number {
  const length = q.length / channels;
  const rows = Float64Array.from(q);
  let most = 1;
  for (let row = 0; row < channels; row++) {
    for (let from = 0; from < length; from += tile) {
      const part = rows.subarray(row * length + from, row * length + Math.min(length, from + tile));
      most = Math.max(most, worstCase(part, input).safeBits);
    }
  }
  return most;
}
