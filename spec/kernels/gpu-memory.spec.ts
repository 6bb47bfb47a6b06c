import { fileURLToPath } from 'node:url';
import t from 'tap';
import { noChromium, openPage } from '../browser/chromium.js';
import { withDriver } from './gpu/driver.js';
import { growth, type MemorySample } from './gpu/steps.js';

/** Steps of training, 10 samples over them. A2Q_GPU_STEPS=2000 takes some ten minutes a mode on a software adapter. */
const steps = Number(process.env['A2Q_GPU_STEPS'] ?? 90);

t.setTimeout(7_200_000);

const script = fileURLToPath(new URL('./gpu/memory.js', import.meta.url));
await t.spawn(
  process.execPath,
  ['--expose-gc', script, `${steps}`],
  { env: withDriver(), timeout: 3_600_000 },
  'gpu:webgpu in Node',
);

for (const mode of ['webgl2', 'webgpu']) {
  await t.test(
    `gpu:${mode} in Chromium: ${steps} steps leave the memory as it was`,
    { skip: noChromium },
    async (t) => {
      t.setTimeout(3_600_000);
      const { page, close, gpuProcessBytes } = await openPage();
      t.teardown(close);
      const samples: (MemorySample & { rss: number })[] = [];
      await page.exposeFunction('sampled', async (sample: MemorySample) => {
        samples.push({ ...sample, rss: await gpuProcessBytes() });
        t.comment(JSON.stringify(samples.at(-1)));
      });
      await page.evaluate(`globalThis.a2qSpecs.trainSteps('gpu:${mode}', ${steps}, ${steps / 10}, globalThis.sampled)`);
      t.same(growth(samples), []);
    },
  );
}
