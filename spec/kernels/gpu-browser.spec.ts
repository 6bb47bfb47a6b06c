import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { noChromium, openPage } from '../browser/chromium.js';
import type { PageReport } from '../browser/page.js';
import type { Tally } from '../quant/guarantee.js';

/** Memory, edges, variants and every golden file on each run; with A2Q_GPU_SPECS=full the whole kernel conformance. */
const full = process.env['A2Q_GPU_SPECS'] === 'full';
const golden = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

t.setTimeout(1_800_000);

for (const mode of ['webgl2', 'webgpu']) {
  await t.test(`gpu:${mode} in Chromium, minified`, { skip: noChromium }, async (t) => {
    t.setTimeout(1_800_000);
    const { page, close } = await openPage();
    t.teardown(close);
    const run = (call: string) => page.evaluate(`globalThis.a2qSpecs.${call}`) as Promise<PageReport>;

    const kernels = await run(`kernels('gpu:${mode}', ${full})`);
    t.comment(JSON.stringify(kernels.description));
    t.equal(kernels.description.mode, mode, 'what was asked for is what ran');
    t.same(kernels.failures, []);
    t.ok(kernels.passed > 50, `${kernels.passed} assertions`);

    await t.test('no channel of 300 overflows its register', async (t) => {
      const size = JSON.stringify({ seed: 2, cases: 300, weights: 2000 });
      const { passed, refused, failures } = (await run(`guarantee('gpu:${mode}', ${size})`)) as unknown as Tally;
      t.same(failures.slice(0, 5), []);
      t.ok(passed > 200, `${passed} passed; refused: ${JSON.stringify(refused)}`);
    });

    await t.test('variants give the same bits', async (t) => {
      const report = await run(`variants('${mode}', '${full ? 'all' : 'few'}')`);
      t.same(report.failures, []);
    });

    if (!full)
      t.comment('skipped: the rest of the kernel conformance, which takes minutes here; set A2Q_GPU_SPECS=full');
    const skip = existsSync(golden) ? false : `no golden files at ${golden}`;
    await t.test('golden files of Brevitas and PyTorch', { skip }, async (t) => {
      const files = readdirSync(golden).filter((name) => name.endsWith('.json'));
      const report = await run(`golden('gpu:${mode}', ${JSON.stringify(files)})`);
      t.same(report.failures, [], 'no case differs');
      t.ok(report.passed > 1000, `${report.passed} cases pass`);
    });
  });
}

await t.test('a lost WebGL context', { skip: noChromium }, async (t) => {
  const { page, close } = await openPage();
  t.teardown(close);
  const lost = 'gpu:webgl2: the device was lost, and all tensors on it; start the backend anew';
  t.same(
    await page.evaluate('globalThis.a2qSpecs.loseContext()'),
    [lost, lost, '9'],
    'said at once, and mended by a start',
  );
});
