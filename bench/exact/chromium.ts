import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Page } from 'playwright-core';
import { BackendError } from '../../lib/tensor/errors.js';

const EXECUTABLE = process.env['A2Q_CHROMIUM'] ?? '/usr/bin/chromium';

/** Isolated, so that there is shared memory; no code from strings, nothing from elsewhere. */
const HEADERS = {
  'content-security-policy': "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** Opens page.ts, bundled and minified, in headless Chromium. @throws BackendError if there is none */
export async function openRuntimePage(): Promise<{ page: Page; version: string; close(): Promise<void> }> {
  if (!existsSync(EXECUTABLE)) throw new BackendError('chromium', `none at ${EXECUTABLE} (set A2Q_CHROMIUM)`);
  const folder = await mkdtemp(join(tmpdir(), 'a2q-exact-'));
  const entryPoints = ['./page.js', '../../lib/kernels/wasm/kernelWorker.js'];
  const paths = entryPoints.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const flat = { entryNames: '[name]', bundle: true, minify: true, format: 'esm' } as const;
  await build({ entryPoints: paths, outdir: folder, ...flat });
  const server = createServer(async (request, response) => {
    const file = join(folder, basename(request.url ?? '/'));
    if (request.url === '/') {
      const html = '<!doctype html><title>exact</title><script type=module src=/page.js></script>';
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/html' }).end(html);
    } else if (existsSync(file)) {
      response.writeHead(200, { ...HEADERS, 'content-type': 'text/javascript' }).end(await readFile(file));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--headless=new', '--no-sandbox'] });
  const close = async () => {
    await browser.close();
    server.close();
    await rm(folder, { recursive: true });
  };
  const page = await browser.newPage();
  const address = server.address();
  await page.goto(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`);
  await page.waitForFunction('globalThis.a2qExact');
  return { page, version: browser.version(), close };
}
