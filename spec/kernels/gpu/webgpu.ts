import { existsSync } from 'node:fs';
import t from 'tap';
import type { Backend } from '../../../lib/kernels/backend.js';
import type { GpuBackend } from '../../../lib/kernels/gpu/index.js';
import { setBackend, startBackend } from '../../../lib/kernels/registry.js';
import { BackendError } from '../../../lib/tensor/errors.js';
import { dispose, Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView } from '../../../lib/tensor/view.js';
import { runConformance } from '../../conformance/main.js';
import { deviceConformance } from '../conformance/device.js';
import { edgeConformance } from '../conformance/edges.js';
import { Subject } from '../conformance/subject.js';
import { conformance } from '../conformance.js';

/**
 * What gpu:webgpu must pass, run in a process of its own whose environment names the driver. With A2Q_GPU_SPECS=full that
 * is the whole kernel conformance and every golden file, which takes minutes on a software adapter.
 */

const golden = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';
const full = process.env['A2Q_GPU_SPECS'] === 'full';

async function start(): Promise<Backend | string> {
  try {
    return await startBackend('gpu:webgpu');
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

const backend = await start();
if (typeof backend === 'string') {
  t.pass('gpu:webgpu', { skip: backend });
} else {
  const describe = () => (backend as Backend & GpuBackend).describe();
  t.setTimeout(1_200_000);
  const { adapter, software } = describe();
  t.comment(`adapter: ${JSON.stringify(adapter)}, ${software ? 'software' : 'hardware'}`);
  t.equal(backend.name, 'gpu:webgpu');

  if (full) {
    await conformance(t, backend);
  } else {
    await t.test('memory', (t) => deviceConformance(t, backend));
    await t.test('edges', (t) => edgeConformance(t, new Subject(backend, 'float32')));
  }

  const skip = !full ? 'set A2Q_GPU_SPECS=full' : existsSync(golden) ? false : `no golden files at ${golden}`;
  await t.test('golden files of Brevitas and PyTorch', { skip }, async (t) => {
    setBackend(backend);
    const report = await runConformance(golden);
    t.same(report.failures, [], 'no case differs');
    t.same(report.skips, [], 'no case is skipped');
    t.ok(report.passed > 1000, `${report.passed} cases pass`);
  });

  await t.test('steps that are not waited for leave nothing on the device', async (t) => {
    const before = describe().arrays;
    const ones = new Float32Array(70_000).fill(1);
    const parameter = contiguousView(Storage.alloc(backend, ones.length, 'float32', ones), [ones.length]);
    const options = { learningRate: 0.25, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0, first: false };
    for (let step = 0; step < 100; step++) {
      scope(() => backend.sgdStep(parameter, backend.unary('square', parameter), null, options));
    }
    let want = 1;
    for (let step = 0; step < 100; step++) want = Math.fround(want - Math.fround(0.25 * Math.fround(want * want)));
    const got = await backend.read(parameter.storage.handle, ones.length, 'float32');
    t.ok(
      got.every((x) => Math.abs(x - want) < 1e-6),
      `100 steps from 1 lead to ${want}`,
    );
    dispose({ storage: parameter.storage });
    t.equal(describe().arrays, before);
  });
}
