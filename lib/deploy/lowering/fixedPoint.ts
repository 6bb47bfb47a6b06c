import { QuantError } from '../../tensor/errors.js';
import type { ChannelRange } from '../graph/ranges.js';
import type { FixedPoint } from '../graph/requantize.js';
import type { Affine } from './program.js';

/** The numbers of a `FixedPointNode` in the making, a row each. */
interface FixedPointRows extends FixedPoint {
  readonly multiplier: Int32Array;
  readonly offset: Int32Array;
  readonly shift: Int32Array;
}

/** Bits in which products are exact. */
const WORD = 52;
/** Largest magnitude of a multiplier and of an offset. */
const INT31 = 2 ** 31 - 1;

/**
 * Multiplier and shift of each channel (Jacob et al. 2018, arXiv 1712.05877, section 2.2) for `slope·a + intercept` in
 * steps of a grid. Scales that are powers of two need no multiplier: it is 1 then, or the power that is left.
 * @param affine in steps @param reach what each channel's accumulator can be
 * @throws QuantError if a slope or an intercept is not finite, or the results are too large to be told
 */
export function fixedPoint(affine: Affine, reach: ChannelRange): FixedPointRows {
  const channels = affine.slope.length;
  const multiplier = new Int32Array(channels);
  const shift = new Int32Array(channels);
  const exact = new Float64Array(channels);
  let most = 0;
  for (let c = 0; c < channels; c++) {
    const slope = affine.slope[c];
    if (!Number.isFinite(slope) || !Number.isFinite(affine.intercept[c])) {
      throw new QuantError('lower', `channel ${c} has slope ${slope} and intercept ${affine.intercept[c]}`);
    }
    const largest = Math.max(Math.abs(reach.low[c]), Math.abs(reach.high[c]), 1);
    const room = WORD - 2 - Math.ceil(Math.log2(largest + 1));
    // The most bits that multiplier, product and offset leave room for.
    let bits = Math.min(48, room);
    const scaled = () => Math.round(slope * 2 ** bits);
    while (bits > 0 && (Math.abs(scaled()) > INT31 || Math.abs(affine.intercept[c]) * 2 ** bits > 2 ** (WORD - 2)))
      bits--;
    // What is even says the same with fewer bits.
    const even = (value: number) => Number.isInteger(value * 2 ** (bits - 1));
    while (bits > 0 && even(slope) && even(affine.intercept[c])) bits--;
    if (Math.abs(scaled()) > INT31) throw new QuantError('lower', `channel ${c} has slope ${slope}, beyond int32`);
    multiplier[c] = scaled();
    shift[c] = bits;
    exact[c] = affine.intercept[c] * 2 ** bits;
    most = Math.max(most, Math.abs(exact[c]));
  }
  const lift = Math.max(0, Math.ceil(Math.log2((most + 1) / INT31)));
  return { multiplier, shift, lift, offset: Int32Array.from(exact, (value) => Math.round(value / 2 ** lift)) };
}
