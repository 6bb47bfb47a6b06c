import { existsSync } from 'node:fs';
import t from 'tap';
import { backendNamed, setBackend } from '../lib/kernels/registry.js';
import { runConformance } from './conformance/main.js';

const folder = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

for (const name of ['reference', 'wasm']) {
  const skip = existsSync(folder) ? false : `no golden files: ${folder} does not exist (set A2Q_GOLDEN_DIR)`;
  t.test(`golden files of Brevitas and PyTorch on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    const report = await runConformance(folder);
    t.same(report.failures, [], 'no case differs');
    t.same(report.skips, [], 'no case is skipped');
    t.ok(report.passed > 1000, `${report.passed} cases pass`);
  });
}
