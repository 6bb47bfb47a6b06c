import { type Register, settle } from './register.js';
import { LANES, type SparseRows } from './weights.js';

/**
 * The inner loops: rows of weights against four input vectors `[K, LANES]`, one accumulator a lane; spare lanes hold 0.
 */

/** What has been counted so far. */
export interface Tally {
  /** Partial sums outside the register. */
  overflows: number;
  /** Outputs with at least one of them. */
  outputsAffected: number;
}

/** Sums one row in every lane into `out [LANES]`, counting on `tally`. */
export function accumulateRow(
  rows: SparseRows,
  row: number,
  panel: Int32Array,
  register: Register,
  tally: Tally,
  out: Float64Array,
): void {
  if (rows.paths[row] === 'narrow') sumNarrow(rows, row, panel, register, tally, out);
  else sumWide(rows, row, panel, register, tally, out);
}

/**
 * Registers of at most 30 bits, kept as `t = sum + 2^(P−1)`: t fits if no bit from P upward is set; four lanes a test.
 */
function sumNarrow(
  rows: SparseRows,
  row: number,
  panel: Int32Array,
  register: Register,
  tally: Tally,
  out: Float64Array,
): void {
  const { offsets, values } = rows;
  const end = rows.starts[row + 1];
  // Shifts, not powers: a power is a double, and the four sums would be kept as doubles with it.
  const half = 1 << (register.bits - 1);
  const mask = (1 << register.bits) - 1;
  const outside = ~mask;
  const wraps = register.overflow === 'wrap';
  const saturates = register.overflow === 'saturate';
  let t0 = half;
  let t1 = half;
  let t2 = half;
  let t3 = half;
  let overflows = 0;
  let affected = 0;
  for (let entry = rows.starts[row]; entry < end; entry++) {
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
  tally.overflows += overflows;
  for (let lane = 0; lane < LANES; lane++) tally.outputsAffected += (affected >> lane) & 1;
  out[0] = t0 - half;
  out[1] = t1 - half;
  out[2] = t2 - half;
  out[3] = t3 - half;
}

/** Any width, one lane after the other in Numbers: also the plainest statement of what the narrow path computes. */
function sumWide(
  rows: SparseRows,
  row: number,
  panel: Int32Array,
  register: Register,
  tally: Tally,
  out: Float64Array,
): void {
  const { offsets, values } = rows;
  const start = rows.starts[row];
  const end = rows.starts[row + 1];
  const { low, high } = register;
  for (let lane = 0; lane < LANES; lane++) {
    let sum = 0;
    let overflows = 0;
    for (let entry = start; entry < end; entry++) {
      sum += values[entry] * panel[offsets[entry] + lane];
      if (sum >= low && sum <= high) continue;
      overflows++;
      sum = settle(register, sum);
    }
    tally.overflows += overflows;
    if (overflows > 0) tally.outputsAffected++;
    out[lane] = sum;
  }
}
