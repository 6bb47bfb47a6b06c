import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';

/** The browser to drive: A2Q_CHROMIUM, or where Debian puts it. */
const EXECUTABLE = process.env['A2Q_CHROMIUM'] ?? '/usr/bin/chromium';

const GOLDEN_DIR = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

/** Why no browser can be driven here, or false. */
export const noChromium: string | false = existsSync(EXECUTABLE)
  ? false
  : `no browser at ${EXECUTABLE} (set A2Q_CHROMIUM)`;

/** Headless Chromium with its software GPU. */
export function launch(): Promise<Browser> {
  const args = ['--headless=new', '--no-sandbox', '--enable-unsafe-webgpu', '--js-flags=--expose-gc'];
  return chromium.launch({ executablePath: EXECUTABLE, args });
}

/** A page in headless Chromium. */
export interface OpenPage {
  readonly page: Page;
  /** Memory of the process that drives the GPU, in bytes. */
  gpuProcessBytes(): Promise<number>;
  /** Ends the browser and the server and removes the bundle. */
  close(): Promise<void>;
}

/** Bundles `page.ts`, minified as a production build is, serves it on this machine only, and opens it. */
export async function openPage(): Promise<OpenPage> {
  const folder = await mkdtemp(join(tmpdir(), 'a2q-page-'));
  const entryPoints = [fileURLToPath(new URL('./page.js', import.meta.url))];
  await build({ entryPoints, outdir: folder, bundle: true, format: 'esm', splitting: true, minify: true });
  const server = createServer(async (request, response) => {
    const name = basename(request.url ?? '/');
    const path = request.url?.startsWith('/golden/') ? join(GOLDEN_DIR, name) : join(folder, name);
    if (request.url === '/') {
      response.setHeader('content-type', 'text/html').end('<!doctype html><script type=module src=/page.js></script>');
    } else if (existsSync(path) && name.includes('.')) {
      response.setHeader('content-type', name.endsWith('.js') ? 'text/javascript' : 'application/json');
      response.end(await readFile(path));
    } else response.writeHead(404).end();
  });
  const url = await listen(server);
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    server.close();
    await rm(folder, { recursive: true });
  };
  try {
    browser = await launch();
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction('globalThis.a2qSpecs');
    return { page, close, gpuProcessBytes: () => gpuProcessBytes(browser as Browser) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function gpuProcessBytes(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const gpu = processInfo.find(({ type }) => type === 'GPU');
  const resident = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${gpu?.id}/status`, 'utf8'))?.[1];
  return 1024 * Number(resident);
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
}
