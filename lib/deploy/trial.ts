import { type InputBounds, type LayerTest, witness } from '../quant/accumulator.js';
import { MAX_BITS } from '../quant/integerRange.js';
import { accumulateLinear } from './accumulator/linear.js';

/** What the simulated register did when fed the witnesses of every channel. */
export interface AuditTrial {
  /** P of the register: the claimed one, or the smallest safe one if none is claimed. */
  readonly accumulatorBits: number;
  /** Partial sums outside of the register; 0 in a proved layer. */
  readonly overflows: number;
  /** Whether every witness ended at the extreme it was said to reach. */
  readonly reached: boolean;
  /** Whether every channel overflows on one bit less than its smallest safe P; null if no such register was tried. */
  readonly oneBitLessOverflows: boolean | null;
}

/** Feeds both witnesses of every channel to a P-bit register that wraps around, and to one a bit too narrow. */
export function tryWitnesses(
  rows: readonly Int32Array[],
  range: InputBounds,
  test: LayerTest,
  accumulatorBits: number,
): AuditTrial {
  let overflows = 0;
  let reached = true;
  let oneBitLessOverflows: boolean | null = null;
  for (const [i, q] of rows.entries()) {
    const { max, min, safeBits } = test.channels[i];
    const inputs = witness(q, range);
    const x = { data: Int32Array.from([...inputs.max, ...inputs.min]), shape: [2, q.length] };
    const w = { data: q, shape: [1, q.length] };
    const run = accumulateLinear(x, w, { accumulatorBits, overflow: 'wrap' });
    overflows += run.overflows;
    reached &&= run.y.data[0] === max && run.y.data[1] === min;
    // An all-zero channel needs no register at all, and the simulation has none wider than 32 bits.
    if (safeBits < 2 || safeBits > MAX_BITS) continue;
    const narrow = accumulateLinear(x, w, { accumulatorBits: safeBits - 1, overflow: 'wrap' });
    oneBitLessOverflows = (oneBitLessOverflows ?? true) && narrow.overflows > 0;
  }
  return { accumulatorBits, overflows, reached, oneBitLessOverflows };
}

/** Whether the register did what the test said. */
export function agrees({ overflows, reached, oneBitLessOverflows }: AuditTrial): boolean {
  return overflows === 0 && reached && oneBitLessOverflows !== false;
}
