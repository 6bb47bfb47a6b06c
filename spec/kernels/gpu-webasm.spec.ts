import { existsSync } from 'node:fs';
import t from 'tap';
import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import { runConformance } from '../conformance/main.js';
import { conformance } from './conformance.js';

const golden = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

t.setTimeout(300_000);
const backend = await startBackend('gpu:webasm');
t.equal(backend.name, 'gpu:webasm');
await conformance(t, backend);

const skip = existsSync(golden) ? false : `no golden files at ${golden}`;
await t.test('golden files of Brevitas and PyTorch', { skip }, async (t) => {
  setBackend(backend);
  const report = await runConformance(golden);
  t.same(report.failures, [], 'no case differs');
  t.same(report.skips, [], 'no case is skipped');
  t.ok(report.passed > 1000, `${report.passed} cases pass`);
});
