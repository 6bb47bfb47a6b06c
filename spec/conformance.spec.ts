import t from 'tap';
import type { Backend } from '../lib/kernels/backend.js';
import { startBackend } from '../lib/kernels/registry.js';
import { loadWasmBackend } from '../lib/kernels/wasm/index.js';
import { hasRelaxedSimd } from '../lib/kernels/wasm/unpack.js';
import { noGoldenFiles, passesGoldenFiles } from './goldenFiles.js';

/** Every path that promises exactness; F(4×4) does not. */
const PATHS: Readonly<Record<string, () => Promise<Backend>>> = {
  reference: async () => await startBackend('reference'),
  'wasm, plain': () => loadWasmBackend({ relaxedSimd: false }),
  'wasm, plain, 2 threads, F(2×2)': () => loadWasmBackend({ relaxedSimd: false, threads: 2, winograd: 'f2' }),
  'wasm, relaxed, 2 threads': () => loadWasmBackend({ relaxedSimd: true, threads: 2 }),
};

for (const [name, start] of Object.entries(PATHS)) {
  const noRelaxed = name.includes('relaxed') && !hasRelaxedSimd() ? 'this engine has no relaxed SIMD' : false;
  t.test(`golden files of Brevitas and PyTorch on ${name}`, { skip: noGoldenFiles || noRelaxed }, async (t) => {
    await passesGoldenFiles(t, await start());
  });
}
