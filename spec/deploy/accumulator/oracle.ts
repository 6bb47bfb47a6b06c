import type { Overflow } from '../../../lib/deploy/accumulator/register.js';

/** A dot product on a P-bit register in BigInt, one partial sum for each nonzero weight. */
export function naiveDot(
  q: readonly number[],
  x: readonly number[],
  bits: number,
  overflow: Overflow,
  order: readonly number[] = q.map((_, k) => k),
): { sum: number; overflows: number } {
  const high = 2n ** BigInt(bits - 1) - 1n;
  const low = -high - 1n;
  let sum = 0n;
  let overflows = 0;
  for (const k of order) {
    if (q[k] === 0) continue;
    sum += BigInt(q[k]) * BigInt(x[k]);
    if (sum >= low && sum <= high) continue;
    overflows++;
    if (overflow === 'wrap') sum = BigInt.asIntN(bits, sum);
    if (overflow === 'saturate') sum = sum < low ? low : high;
  }
  return { sum: Number(sum), overflows };
}

/** The counts and outputs of many dot products. */
export function naiveAll(
  products: { q: number[]; x: number[] }[],
  bits: number,
  overflow: Overflow,
): { y: number[]; overflows: number; outputsAffected: number; sums: number } {
  const results = products.map(({ q, x }) => naiveDot(q, x, bits, overflow));
  return {
    y: results.map(({ sum }) => sum),
    overflows: results.reduce((count, { overflows }) => count + overflows, 0),
    outputsAffected: results.filter(({ overflows }) => overflows > 0).length,
    sums: products.reduce((count, { q }) => count + q.filter((weight) => weight !== 0).length, 0),
  };
}
