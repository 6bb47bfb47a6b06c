import { existsSync } from 'node:fs';
import t from 'tap';
import type { BackendImplementation } from '../lib/kernels/backend.js';
import { backendNamed, setBackend } from '../lib/kernels/registry.js';
import { hasRelaxedSimd } from '../lib/kernels/wasm/binaries.js';
import { loadWasmBackend } from '../lib/kernels/wasm/index.js';
import { runConformance } from './conformance/main.js';

const folder = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

/** Every path that promises exactness; F(4×4) does not. */
const PATHS: Readonly<Record<string, () => Promise<BackendImplementation>>> = {
  reference: async () => backendNamed('reference'),
  'wasm, plain': () => loadWasmBackend({ relaxedSimd: false }),
  'wasm, plain, 2 threads, F(2×2)': () => loadWasmBackend({ relaxedSimd: false, threads: 2, winograd: 'f2' }),
  'wasm, relaxed, 2 threads': () => loadWasmBackend({ relaxedSimd: true, threads: 2 }),
};

for (const [name, start] of Object.entries(PATHS)) {
  const noFolder = existsSync(folder) ? false : `no golden files: ${folder} does not exist (set A2Q_GOLDEN_DIR)`;
  const noRelaxed = name.includes('relaxed') && !hasRelaxedSimd() ? 'this engine has no relaxed SIMD' : false;
  t.test(`golden files of Brevitas and PyTorch on ${name}`, { skip: noFolder || noRelaxed }, async (t) => {
    setBackend(await start());
    const report = await runConformance(folder);
    t.same(report.failures, [], 'no case differs');
    t.same(report.skips, [], 'no case is skipped');
    t.ok(report.passed > 1000, `${report.passed} cases pass`);
  });
}
