import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { build as bundleByEsbuild } from 'esbuild';
import { chromium } from 'playwright-core';
import { build as bundleByVite } from 'vite';
import { LEARN } from './learn.mjs';
import { RUN_NETWORK } from './network.mjs';

const EXECUTABLE = process.env.A2Q_CHROMIUM ?? '/usr/bin/chromium';

/**
 * Trains a layer in a page that asks for four threads, and tells how many there were, and what was said of it. Then
 * runs a network of integers on one thread and on two, where there are threads.
 */
const PAGE = `
  import { Adam, Linear, loadWasmBackend, mean, Random, setBackend, uniform } from 'a2q.js';
  import { createRuntime, loadNetwork } from 'a2q.js/runtime';

  const warnings = [];
  console.warn = (text) => warnings.push(text);
  ${LEARN}
  ${RUN_NETWORK}
  const backend = await loadWasmBackend({ threads: 4 });
  const losses = await learn(backend);
  const { threads, whyFewerThreads: why } = backend.describe();
  const network = await (await fetch('./net.a2q.safetensors')).arrayBuffer();
  const answer = await (await fetch('./answer.json')).json();
  const exact = [await runsExactly(network, answer, { threads: 1 })];
  exact.push(await runsExactly(network, answer, { threads: 2 }).catch(({ message }) => message));
  const found = { threads, why, warnings, learns: losses.at(-1) < losses[0], exact };
  document.documentElement.dataset.found = JSON.stringify(found);`;

/** What it fetches. */
const NETWORK = ['net.a2q.safetensors', 'answer.json'];

/** How the page is built; each returns the folder to serve. */
const BUNDLERS = {
  async vite(folder) {
    const [root, outDir] = [join(folder, 'page'), join(folder, 'vite')];
    await bundleByVite({ root, configFile: false, logLevel: 'error', build: { outDir, target: 'es2022' } });
    return outDir;
  },
  async esbuild(folder) {
    return esbuild(folder, 'esbuild', [join(folder, 'page/page.js')]);
  },
  /** With the worker beside the bundle, as esbuild copies none by itself. */
  async 'esbuild, worker copied'(folder) {
    return esbuild(folder, 'esbuild-worker', [join(folder, 'page/page.js'), 'a2q.js/kernelWorker.js']);
  },
};

async function esbuild(folder, name, entryPoints) {
  const outdir = join(folder, name);
  const flat = { entryNames: '[name]', bundle: true, minify: true, format: 'esm', absWorkingDir: folder };
  await bundleByEsbuild({ entryPoints, outdir, ...flat });
  await writeFile(join(outdir, 'index.html'), await readFile(join(folder, 'page/index.html')));
  return outdir;
}

/** No code from strings, and nothing from elsewhere. */
const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const BLOBS = `${STRICT}; worker-src 'self' blob:`;
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** What is to be found: four threads, or one and the reason. */
const CASES = [
  { bundler: 'vite', isolated: true, policy: STRICT, threads: 4 },
  { bundler: 'vite', isolated: false, policy: STRICT, threads: 1, why: /not cross-origin isolated/ },
  { bundler: 'esbuild', isolated: true, policy: BLOBS, threads: 4 },
  { bundler: 'esbuild', isolated: true, policy: STRICT, threads: 1, why: /kernelWorker\.js is missing or forbidden/ },
  { bundler: 'esbuild', isolated: false, policy: STRICT, threads: 1, why: /not cross-origin isolated/ },
  { bundler: 'esbuild, worker copied', isolated: true, policy: STRICT, threads: 4 },
];

/** The page in headless Chromium, as both bundlers make it, with and without isolation, under strict policies. */
export async function checkPages(folder) {
  if (!existsSync(EXECUTABLE)) return [{ skipped: `no browser at ${EXECUTABLE} (set A2Q_CHROMIUM)`, passed: true }];
  await mkdir(join(folder, 'page'));
  await writeFile(join(folder, 'page/page.js'), PAGE);
  const html = '<!doctype html><title>a2q.js</title><script type="module" src="./page.js"></script>';
  await writeFile(join(folder, 'page/index.html'), html);
  const folders = {};
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    folders[name] = await bundle(folder);
    for (const file of NETWORK) await copyFile(join(folder, file), join(folders[name], file));
  }
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--headless=new', '--no-sandbox'] });
  try {
    const findings = [];
    for (const each of CASES) findings.push(await checkPage(browser, folders[each.bundler], each));
    return findings;
  } finally {
    await browser.close();
  }
}

async function checkPage(browser, folder, { bundler, isolated, policy, threads, why }) {
  const headers = { 'content-security-policy': policy, ...(isolated ? ISOLATED : {}) };
  const { server, url } = await serve(folder, headers);
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  try {
    await page.goto(url);
    const element = await page.waitForSelector('[data-found]', { timeout: 30_000 });
    const found = JSON.parse(await element.getAttribute('data-found'));
    const told = why === undefined ? found.why === null && found.warnings.length === 0 : why.test(found.why);
    const warned = why === undefined || found.warnings.some((text) => why.test(text));
    const [alone, together] = found.exact;
    const exact = alone === true && (threads > 1 ? together === true : /threads? cannot run here/.test(together));
    const passed = found.threads === threads && told && warned && found.learns && exact && errors.length === 0;
    return { bundler, isolated, policy, ...found, errors, passed };
  } catch ({ message }) {
    return { bundler, isolated, policy, error: message, errors, passed: false };
  } finally {
    await page.close();
    server.close();
  }
}

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.safetensors': 'application/octet-stream',
};

/** Serves a folder on this machine. */
async function serve(folder, headers) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    const file = join(folder, path === '/' ? 'index.html' : path);
    const type = TYPES[extname(file)];
    if (type === undefined || !existsSync(file)) response.writeHead(404).end();
    else response.writeHead(200, { ...headers, 'content-type': type }).end(await readFile(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}/` };
}
