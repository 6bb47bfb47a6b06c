import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import t from 'tap';
import { noChromium } from '../../browser/chromium.js';
import type { PageFindings } from './browser/page.js';

const EXECUTABLE = process.env['A2Q_CHROMIUM'] ?? '/usr/bin/chromium';

/** No such host: every request is answered by this test. */
const HOST = 'http://a2q.test';

t.test('a module worker in Chromium', { skip: noChromium }, async (t) => {
  const entryPoints = ['page', 'glyphs.worker'].map((name) =>
    fileURLToPath(new URL(`./browser/${name}.js`, import.meta.url)),
  );
  const bundles = await build({ entryPoints, outdir: '/', bundle: true, format: 'esm', minify: true, write: false });
  const scripts = new Map(bundles.outputFiles.map(({ path, text }) => [path, text]));
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--headless=new', '--no-sandbox'] });
  t.teardown(() => browser.close());
  const page = await browser.newPage();
  await page.route(`${HOST}/**`, (route) => {
    const path = new URL(route.request().url()).pathname;
    const script = scripts.get(path);
    if (script !== undefined) return route.fulfill({ contentType: 'text/javascript', body: script });
    if (path !== '/') return route.fulfill({ status: 404 });
    return route.fulfill({ contentType: 'text/html', body: '<script type=module src=/page.js></script>' });
  });
  await page.goto(HOST);
  await page.waitForFunction('globalThis.run');
  const findings = (await page.evaluate('globalThis.run()')) as PageFindings;
  t.same(findings, {
    name: 'glyphs/train',
    batches: 7,
    equal: 7,
    errors: [
      'DataError: glyphs: length must be an integer of 1 … 16777216; got -1',
      'A2QError: batches: the worker that makes them cannot be started',
      'A2QError: batches: the source was closed',
    ],
  });
});
