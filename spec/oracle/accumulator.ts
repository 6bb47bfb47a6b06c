import type { NumberArray } from './array.js';

/** A P-bit register fed with integers of low … high. */
export interface Register {
  readonly bits: number;
  readonly low: number;
  readonly high: number;
}

/** A register that holds every sum of specs that are about something else. */
export const WIDE: Register = { bits: 32, low: 0, high: 1 };

/** The register of P bits behind N-bit inputs. */
export function registerFor(bits: number, input: { readonly bits: number; readonly signed: boolean }): Register {
  const values = 2 ** input.bits;
  return input.signed ? { bits, low: -values / 2, high: values / 2 - 1 } : { bits, low: 0, high: values - 1 };
}

/** The exact test in integers without limits: the worst sums that inputs of low … high can reach fit P bits. */
export function fitsRegister(weights: ArrayLike<number>, { bits, low, high }: Register): boolean {
  let alpha = 0;
  let beta = 0;
  for (let k = 0; k < weights.length; k++) {
    if (weights[k] > 0) alpha += weights[k];
    else beta += weights[k];
  }
  // Sums of integers below 2^53 are exact; products may be larger.
  const [a, b, c, d] = [alpha, beta, low, high].map(BigInt);
  const half = 1n << BigInt(bits - 1);
  return d * a + c * b < half && c * a + d * b >= -half;
}

/** By trying: of each weight in turn the most, towards 0, with which the row so far fits. */
export function fitAccumulator(q: NumberArray, register: Register): NumberArray {
  const [rows, length] = q.shape;
  const data: number[] = [];
  for (let row = 0; row < rows; row++) {
    const kept: number[] = [];
    for (let k = 0; k < length; k++) {
      const weight = q.data[row * length + k];
      let size = Math.abs(weight);
      const fits = () => fitsRegister([...kept, Math.sign(weight) * size], register);
      if (!fits()) {
        // The largest size that fits is below `size`: halve the distance.
        let [low, high] = [0, size];
        while (high - low > 1) {
          size = Math.floor((low + high) / 2);
          if (fits()) low = size;
          else high = size;
        }
        size = low;
      }
      kept.push(Math.sign(weight) * size);
    }
    data.push(...kept);
  }
  return { shape: q.shape, data };
}
