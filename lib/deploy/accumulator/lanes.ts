import type { SumHistogram } from './histogram.js';
import { settle } from './register.js';
import type { SumScheme } from './summation.js';
import { LANES, type SumPlan } from './weights.js';

/**
 * The inner loops: rows of weights against four input vectors `[K, LANES]`, an accumulator a lane; spare lanes hold 0.
 */
export class LaneAccumulators {
  /** Partial sums outside their register so far. */
  overflows = 0;
  /** Outputs with at least one of them. */
  outputsAffected = 0;
  /** The sums of a row's tiles, `[tiles, LANES]`; in the end its outputs are the first. */
  readonly slots: Float64Array;
  /** A bit for each lane with a sum that did not fit, of the row at work. */
  #affected = 0;

  constructor(
    private readonly plan: SumPlan,
    private readonly scheme: SumScheme,
    private readonly histogram: SumHistogram | null,
  ) {
    const { rowTiles } = plan;
    let most = 1;
    for (let row = 0; row + 1 < rowTiles.length; row++) most = Math.max(most, rowTiles[row + 1] - rowTiles[row]);
    this.slots = new Float64Array(most * LANES);
  }

  /** Sums one row in every lane; `slots [LANES]` then has the outputs. @param used lanes that hold an input */
  sumRow(row: number, panel: Int32Array, used: number): void {
    const { plan, slots } = this;
    const { rowTiles, tileStarts } = plan;
    const [first, end] = [rowTiles[row], rowTiles[row + 1]];
    const path = plan.paths[row];
    if (path === 'free') {
      this.#sumFree(tileStarts[first], tileStarts[end], panel);
      return;
    }
    if (first === end) slots.fill(0, 0, LANES);
    this.#affected = 0;
    for (let tile = first; tile < end; tile++) {
      const at = (tile - first) * LANES;
      if (path === 'narrow') this.#sumNarrow(tileStarts[tile], tileStarts[tile + 1], panel, at);
      else this.#sumWide(tileStarts[tile], tileStarts[tile + 1], panel, at, used);
    }
    if (path === 'narrow' && this.scheme.outer.bits <= 30) this.#mergeNarrow(plan.merges[row]);
    else this.#merge(plan.merges[row], used);
    for (let lane = 0; lane < LANES; lane++) this.outputsAffected += (this.#affected >> lane) & 1;
  }

  /** Where nothing can overflow, order and registers are nothing to the result. */
  #sumFree(start: number, end: number, panel: Int32Array): void {
    const { offsets, values } = this.plan;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let entry = start; entry < end; entry++) {
      const at = offsets[entry];
      const weight = values[entry];
      s0 = (s0 + Math.imul(weight, panel[at])) | 0;
      s1 = (s1 + Math.imul(weight, panel[at + 1])) | 0;
      s2 = (s2 + Math.imul(weight, panel[at + 2])) | 0;
      s3 = (s3 + Math.imul(weight, panel[at + 3])) | 0;
    }
    const { slots } = this;
    slots[0] = s0;
    slots[1] = s1;
    slots[2] = s2;
    slots[3] = s3;
  }

  /**
   * Registers of at most 30 bits, kept as `t = sum + 2^(P−1)`: t fits if no bit from P up is set; four lanes a test.
   */
  #sumNarrow(start: number, end: number, panel: Int32Array, slot: number): void {
    const { offsets, values } = this.plan;
    const { bits, overflow } = this.scheme.inner;
    // Shifts, not powers: a power is a double, and the four sums would be kept as doubles with it.
    const half = 1 << (bits - 1);
    const mask = (1 << bits) - 1;
    const outside = ~mask;
    const wraps = overflow === 'wrap';
    const saturates = overflow === 'saturate';
    let t0 = half;
    let t1 = half;
    let t2 = half;
    let t3 = half;
    let overflows = 0;
    let affected = 0;
    for (let entry = start; entry < end; entry++) {
      const at = offsets[entry];
      const weight = values[entry];
      t0 = (t0 + Math.imul(weight, panel[at])) | 0;
      t1 = (t1 + Math.imul(weight, panel[at + 1])) | 0;
      t2 = (t2 + Math.imul(weight, panel[at + 2])) | 0;
      t3 = (t3 + Math.imul(weight, panel[at + 3])) | 0;
      if (((t0 | t1 | t2 | t3) & outside) === 0) continue;
      const out0 = (t0 & outside) !== 0 ? 1 : 0;
      const out1 = (t1 & outside) !== 0 ? 1 : 0;
      const out2 = (t2 & outside) !== 0 ? 1 : 0;
      const out3 = (t3 & outside) !== 0 ? 1 : 0;
      overflows += out0 + out1 + out2 + out3;
      affected |= out0 | (out1 << 1) | (out2 << 2) | (out3 << 3);
      if (wraps) {
        t0 &= mask;
        t1 &= mask;
        t2 &= mask;
        t3 &= mask;
      } else if (saturates) {
        t0 = Math.min(Math.max(t0, 0), mask);
        t1 = Math.min(Math.max(t1, 0), mask);
        t2 = Math.min(Math.max(t2, 0), mask);
        t3 = Math.min(Math.max(t3, 0), mask);
      }
    }
    this.overflows += overflows;
    this.#affected |= affected;
    const { slots } = this;
    slots[slot] = t0 - half;
    slots[slot + 1] = t1 - half;
    slots[slot + 2] = t2 - half;
    slots[slot + 3] = t3 - half;
  }

  /** Any width, one lane after the other in Numbers: also the plainest statement of what the narrow path computes. */
  #sumWide(start: number, end: number, panel: Int32Array, slot: number, used: number): void {
    const { offsets, values } = this.plan;
    const { inner } = this.scheme;
    for (let lane = 0; lane < used; lane++) {
      let sum = 0;
      for (let entry = start; entry < end; entry++) {
        sum = this.#hold(inner, sum + values[entry] * panel[offsets[entry] + lane], lane);
      }
      this.slots[slot + lane] = sum;
    }
  }

  /** As `merge`, of sums that are int32 before and after: no lane is looked at alone unless one of four overflows. */
  #mergeNarrow(pairs: Int32Array): void {
    const { slots } = this;
    const { outer } = this.scheme;
    const half = 1 << (outer.bits - 1);
    const outside = ~((1 << outer.bits) - 1);
    for (let i = 0; i < pairs.length; i += 2) {
      const to = pairs[i] * LANES;
      const from = pairs[i + 1] * LANES;
      const s0 = (slots[to] + slots[from]) | 0;
      const s1 = (slots[to + 1] + slots[from + 1]) | 0;
      const s2 = (slots[to + 2] + slots[from + 2]) | 0;
      const s3 = (slots[to + 3] + slots[from + 3]) | 0;
      const fits = (((s0 + half) | (s1 + half) | (s2 + half) | (s3 + half)) & outside) === 0;
      slots[to] = fits ? s0 : this.#hold(outer, s0, 0);
      slots[to + 1] = fits ? s1 : this.#hold(outer, s1, 1);
      slots[to + 2] = fits ? s2 : this.#hold(outer, s2, 2);
      slots[to + 3] = fits ? s3 : this.#hold(outer, s3, 3);
    }
  }

  #merge(pairs: Int32Array, used: number): void {
    const { slots } = this;
    const { outer } = this.scheme;
    for (let i = 0; i < pairs.length; i += 2) {
      const to = pairs[i] * LANES;
      const from = pairs[i + 1] * LANES;
      for (let lane = 0; lane < used; lane++) {
        slots[to + lane] = this.#hold(outer, slots[to + lane] + slots[from + lane], lane);
      }
    }
  }

  /** What a register makes of a partial sum, counted. */
  #hold(register: SumScheme['inner'], sum: number, lane: number): number {
    this.histogram?.add(sum);
    if (sum >= register.low && sum <= register.high) return sum;
    this.overflows++;
    this.#affected |= 1 << lane;
    return settle(register, sum);
  }
}
