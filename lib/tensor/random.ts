import { A2QError } from './errors.js';

/** Words of the generator's state, enough to continue the same stream. */
export type RandomState = readonly [number, number, number, number];

/**
 * xoshiro128** (Blackman and Vigna 2018) seeded by splitmix32. Equal seeds, equal numbers everywhere.
 *
 * @example
 * new Random(7).uniform() === new Random(7).uniform(); // true
 */
export class Random {
  #s: [number, number, number, number];
  /** The second number of the last Box-Muller pair. */
  #spare: number | null = null;

  constructor(seed: number | RandomState) {
    if (typeof seed === 'number') {
      if (!Number.isSafeInteger(seed)) throw new A2QError('Random', `seed must be an integer; got ${seed}`);
      this.#s = splitmix(seed);
    } else {
      if (!Array.isArray(seed) || seed.length !== 4 || !seed.every(Number.isInteger)) {
        throw new A2QError('Random', 'the seed must be an integer, or the state of a generator: four integers');
      }
      if (seed.every((word) => (word | 0) === 0)) throw new A2QError('Random', 'a state of zeros only gives zeros');
      this.#s = [...(seed as RandomState)];
    }
  }

  /** The state to store in a checkpoint. Drops a pending second normal: take it between batches. */
  get state(): RandomState {
    this.#spare = null;
    return [...this.#s];
  }

  /** 32 random bits as an unsigned integer. */
  bits(): number {
    const s = this.#s;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** Uniform in [low, high), 53 bits. */
  uniform(low = 0, high = 1): number {
    if (!Number.isFinite(low) || !Number.isFinite(high)) {
      throw new A2QError('Random', `uniform numbers need finite ends; got ${low} … ${high}`);
    }
    const fraction = ((this.bits() >>> 5) * 67108864 + (this.bits() >>> 6)) / 9007199254740992;
    return low + (high - low) * fraction;
  }

  /** Normal with the given mean and standard deviation (Box-Muller, polar form). */
  normal(mean = 0, deviation = 1): number {
    if (!Number.isFinite(mean) || !Number.isFinite(deviation)) {
      throw new A2QError('Random', `normal numbers need a finite mean and deviation; got ${mean} and ${deviation}`);
    }
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return mean + deviation * spare;
    }
    let u: number;
    let v: number;
    let square: number;
    do {
      u = this.uniform(-1, 1);
      v = this.uniform(-1, 1);
      square = u * u + v * v;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.#spare = v * factor;
    return mean + deviation * u * factor;
  }

  /** Uniform integer in 0 … bound−1, without modulo bias. */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 0x100000000) {
      throw new A2QError('Random', `integer bound must be 1 … 2^32; got ${bound}`);
    }
    const limit = 0x100000000 - (0x100000000 % bound);
    let value: number;
    do value = this.bits();
    while (value >= limit);
    return value % bound;
  }

  /** A random order of 0 … n−1 (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    if (!Number.isInteger(n) || n < 0 || n > 2 ** 30) {
      throw new A2QError('Random', `a permutation has 0 … 2^30 elements; got ${n}`);
    }
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** An independent generator, for a worker or a sub-task; `stream` tells siblings apart. */
  fork(stream: number): Random {
    if (!Number.isSafeInteger(stream)) throw new A2QError('Random', `the stream must be an integer; got ${stream}`);
    return new Random(splitmix((this.#s[0] ^ Math.imul(stream + 1, 0x9e3779b1)) >>> 0));
  }
}

function splitmix(seed: number): [number, number, number, number] {
  let a = (seed ^ Math.floor(seed / 0x100000000)) | 0;
  const next = () => {
    a = (a + 0x9e3779b9) | 0;
    let t = a ^ (a >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return t ^ (t >>> 15);
  };
  return [next(), next(), next(), next()];
}
