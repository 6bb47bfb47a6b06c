import type { StoredFacts } from './checkpoint.js';
import { sha256 } from './sha256.js';

/** Claims about a layer that its integers do not decide. */
export interface TakenOnTrust {
  readonly inputChecked: string;
  readonly inputSeen: { readonly low: number; readonly high: number; readonly samples: number } | null;
  readonly problems: readonly string[];
}

/** The worst that inputs of `low … high` can do to one channel, summed exactly. */
interface Extremes {
  readonly alpha: number;
  readonly beta: number;
  readonly max: number;
  readonly min: number;
  readonly safeBits: number;
}

/** What a certificate must say of a layer, from its integers alone. */
export async function certifiedLayer(facts: StoredFacts, taken: TakenOnTrust) {
  const { layer, weightBits, inputBits, inputSigned, bound, accumulatorBits, channels, q } = facts;
  const length = q.length / channels;
  const low = inputSigned ? -(2 ** (inputBits - 1)) : 0;
  const high = low + 2 ** inputBits - 1;
  const rows = Array.from({ length: channels }, (_, i) => q.subarray(i * length, (i + 1) * length));
  const found = rows.map((row) => extremes(row, low, high));
  const safeBits = found.reduce((most, each) => Math.max(most, each.safeBits), 1);
  const budget = bound === null ? null : budgetOf(bound, Number(accumulatorBits), inputBits, inputSigned);
  const used = budget === null ? null : found.map(({ alpha, beta }) => (alpha - beta) / budget);
  const worst = worstChannel(found, accumulatorBits ?? 32);
  const input = (positive: number, negative: number) =>
    Array.from(rows[worst], (weight) => (weight > 0 ? positive : weight < 0 ? negative : 0));
  const register = accumulatorBits ?? safeBits;
  const trial = register > 32 ? null : tryAll(rows, found, low, high, register);
  const holds =
    trial !== null &&
    safeBits <= register &&
    trial.overflows === 0 &&
    trial.reached &&
    trial.oneBitLessOverflows !== false;
  return {
    ...{ layer, weightBits, inputBits, inputSigned },
    ...{ inputChecked: taken.inputChecked, inputSeen: taken.inputSeen },
    ...{ length, channels, bound, accumulatorBits, budget, safeBits },
    max: found.reduce((most, { max }) => Math.max(most, max), Number.NEGATIVE_INFINITY),
    min: found.reduce((least, { min }) => Math.min(least, min), Number.POSITIVE_INFINITY),
    budgetUsed: used === null ? null : used.reduce((most, share) => Math.max(most, share), 0),
    meanBudgetUsed: used === null ? null : used.reduce((sum, share) => sum + share, 0) / channels,
    sparsity: q.reduce((zeros, weight) => zeros + Number(weight === 0), 0) / q.length,
    weightsSha256: await integersHash(q),
    alpha: found.map(({ alpha }) => alpha),
    beta: found.map(({ beta }) => beta),
    worst: {
      ...{ channel: worst, max: found[worst].max, min: found[worst].min },
      ...{ maxInput: input(high, low), minInput: input(low, high) },
    },
    trial,
    problems: taken.problems,
    proved: accumulatorBits === null ? null : verdict(holds, taken),
  };
}

function verdict(holds: boolean, { inputChecked, problems }: TakenOnTrust): boolean | null {
  if (!holds || inputChecked === 'refuted by data') return false;
  return inputChecked === 'by construction' && problems.length === 0 ? true : null;
}

function extremes(row: Int32Array, low: number, high: number): Extremes {
  let alpha = 0n;
  let beta = 0n;
  for (const weight of row) {
    if (weight > 0) alpha += BigInt(weight);
    else beta += BigInt(weight);
  }
  const [c, d] = [BigInt(low), BigInt(high)];
  const [max, min] = [d * alpha + c * beta, c * alpha + d * beta];
  let safeBits = 1;
  while (max >= 1n << BigInt(safeBits - 1) || min < -(1n << BigInt(safeBits - 1))) safeBits += 1;
  return { alpha: Number(alpha), beta: Number(beta), max: Number(max), min: Number(min), safeBits };
}

/** T: `(2^(P−1) − 1) / 2^(N−1s)` or `(2^P − 2) / (2^N − 1)`. */
function budgetOf(bound: 'a2q' | 'a2q+', P: number, N: number, signed: boolean): number {
  return bound === 'a2q' ? (2 ** (P - 1) - 1) / 2 ** (N - Number(signed)) : (2 ** P - 2) / (2 ** N - 1);
}

/** The first channel that takes the largest share of a P-bit register. */
function worstChannel(found: readonly Extremes[], P: number): number {
  const positive = 2 ** (P - 1) - 1;
  const shares = found.map(({ max, min }) => Math.max(max === 0 ? 0 : max / positive, min / -(2 ** (P - 1))));
  return shares.reduce((best, share, i) => (share > shares[best] ? i : best), 0);
}

/** Every channel's worst inputs, product by product, in a register of P bits that wraps around. */
function tryAll(
  rows: readonly Int32Array[],
  found: readonly Extremes[],
  low: number,
  high: number,
  accumulatorBits: number,
) {
  let overflows = 0;
  let reached = true;
  let oneBitLessOverflows: boolean | null = null;
  for (const [i, row] of rows.entries()) {
    const { max, min, safeBits } = found[i];
    const [up, down] = [accumulate(row, high, low, accumulatorBits), accumulate(row, low, high, accumulatorBits)];
    overflows += up.overflows + down.overflows;
    reached &&= up.sum === max && down.sum === min;
    if (safeBits < 2 || safeBits > 32) continue;
    const narrow = [accumulate(row, high, low, safeBits - 1), accumulate(row, low, high, safeBits - 1)];
    oneBitLessOverflows = (oneBitLessOverflows ?? true) && narrow.some((each) => each.overflows > 0);
  }
  return { accumulatorBits, overflows, reached, oneBitLessOverflows };
}

/** The sum of `q·x`, x being one number for positive and another for negative weights, as P bits hold it. */
function accumulate(row: Int32Array, positive: number, negative: number, P: number) {
  const half = 2 ** (P - 1);
  let sum = 0;
  let overflows = 0;
  for (const weight of row) {
    if (weight === 0) continue;
    sum += weight * (weight > 0 ? positive : negative);
    if (sum >= -half && sum < half) continue;
    overflows += 1;
    sum -= 2 * half * Math.floor((sum + half) / (2 * half));
  }
  return { sum, overflows };
}

/** SHA-256 of the integers as row-major little-endian int32. */
function integersHash(q: Int32Array): Promise<string> {
  const bytes = new DataView(new ArrayBuffer(q.length * 4));
  for (let i = 0; i < q.length; i++) bytes.setInt32(i * 4, q[i], true);
  return sha256(new Uint8Array(bytes.buffer));
}
