import { existsSync } from 'node:fs';
import type { Test } from 'tap';
import type { Backend } from '../lib/kernels/backend.js';
import { setBackend } from '../lib/kernels/registry.js';
import { runConformance } from './conformance/main.js';

const folder = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

/** Why there is nothing to compare with; false if there is. */
export const noGoldenFiles = existsSync(folder)
  ? false
  : `no golden files: ${folder} does not exist (set A2Q_GOLDEN_DIR)`;

/** Holds a backend to every golden file, none skipped. */
export async function passesGoldenFiles(t: Test, backend: Backend): Promise<void> {
  setBackend(backend);
  const report = await runConformance(folder);
  t.same(report.failures, [], 'no case differs');
  t.same(report.skips, [], 'no case is skipped');
  t.ok(report.passed > 1000, `${report.passed} cases pass`);
}
