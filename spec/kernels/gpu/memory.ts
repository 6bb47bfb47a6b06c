import t from 'tap';
import { startBackend } from '../../../lib/kernels/registry.js';
import { BackendError } from '../../../lib/tensor/errors.js';
import { growth, type MemorySample, trainSteps } from './steps.js';

/** Steps of training on gpu:webgpu in this process, which is the device's too. Run by `gpu-memory.spec.ts`. */
const steps = Number(process.argv[2]);
t.setTimeout(3_600_000);

const refused = await startBackend('gpu:webgpu').then(
  () => false as const,
  (error: unknown) => (error instanceof BackendError ? error.message : Promise.reject(error)),
);

await t.test(`${steps} steps leave the memory as it was`, { skip: refused }, async (t) => {
  t.setTimeout(3_600_000);
  const samples: (MemorySample & { rss: number })[] = [];
  await trainSteps('gpu:webgpu', steps, steps / 10, (sample) => {
    samples.push({ ...sample, rss: process.memoryUsage.rss() });
    t.comment(JSON.stringify(samples.at(-1)));
  });
  t.same(growth(samples), []);
});
