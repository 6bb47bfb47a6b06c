import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { inflate } from '../../../lib/kernels/wasm/inflate.js';
import { Random } from '../../../lib/tensor/random.js';

/** Bytes with runs, repeats far apart and noise. */
function sample(length: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; ) {
    const run = 1 + Math.floor(random.uniform(0, 300));
    const from = Math.floor(random.uniform(0, i));
    const kind = random.uniform(0, 3);
    for (let end = Math.min(length, i + run), k = 0; i < end; i++, k++) {
      bytes[i] = kind < 1 ? Math.floor(random.uniform(0, 256)) : kind < 2 ? run : bytes[from + k];
    }
  }
  return bytes;
}

t.test('what zlib compressed comes back', async (t) => {
  for (const [length, level] of [
    [1000, 9],
    [50_000, 6],
    [200_000, 9],
  ]) {
    const bytes = sample(length, length);
    t.ok(Buffer.from(inflate(deflateRawSync(bytes, { level }), length)).equals(bytes), `${length} bytes`);
  }
  const zeros = new Uint8Array(70_000);
  t.same(inflate(deflateRawSync(zeros), zeros.length), zeros, 'the longest matches');
});
