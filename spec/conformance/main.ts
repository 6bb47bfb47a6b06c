import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import { WINOGRAD_CHOICES } from '../../lib/kernels/wasm/choices.js';
import { loadWasmBackend } from '../../lib/kernels/wasm/index.js';
import { checkGolden } from './checks.js';
import type { Json } from './golden.js';
import { Report } from './report.js';

const USAGE = `usage: npm run conformance -- DIR [--backend NAME] [--json]
Runs every golden file of DIR through the public API.
  --threads N       threads of the wasm backend; default 1
  --simd KIND       auto, plain or relaxed, of the wasm backend; default auto
  --winograd TILE   ${WINOGRAD_CHOICES.join(', ')}, of the wasm backend; default off`;

/** Runs every JSON file of a folder; files of an unknown kind are skipped, and counted so. */
export async function runConformance(folder: string, report = new Report()): Promise<Report> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  if (names.length === 0) throw new Error(`${folder} holds no golden files (*.json)`);
  for (const name of names) {
    const json = JSON.parse(await readFile(join(folder, name), 'utf8')) as Json;
    await checkGolden(name, json, report);
  }
  return report;
}

interface Flags {
  readonly backend?: string | undefined;
  readonly threads?: string | undefined;
  readonly simd?: string | undefined;
  readonly winograd?: string | undefined;
}

/** @throws Error for flags that are out of range, or not of that backend */
async function chosenBackend({ backend = 'wasm', threads, simd = 'auto', winograd = 'off' }: Flags) {
  if (backend !== 'wasm') {
    if (threads !== undefined || simd !== 'auto' || winograd !== 'off') {
      throw new Error(`--threads, --simd and --winograd are for the wasm backend, not ${backend}`);
    }
    return startBackend(backend);
  }
  const tile = WINOGRAD_CHOICES.find((each) => each === winograd);
  if (tile === undefined)
    throw new Error(`--winograd: there is no '${winograd}'; choose ${WINOGRAD_CHOICES.join(', ')}`);
  if (!['auto', 'plain', 'relaxed'].includes(simd)) throw new Error(`--simd: there is no '${simd}'`);
  const relaxedSimd = simd === 'auto' ? simd : simd === 'relaxed';
  return loadWasmBackend({ threads: Number(threads ?? 1), relaxedSimd, winograd: tile });
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      backend: { type: 'string' },
      threads: { type: 'string' },
      simd: { type: 'string' },
      winograd: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help || positionals.length !== 1) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const backend = setBackend(await chosenBackend(values));
  const started = performance.now();
  const report = await runConformance(positionals[0]);
  const say = values.json ? console.error : console.log;
  for (const { name, problems } of report.failures) say(`FAIL ${name}\n     ${problems.join('\n     ')}`);
  for (const { name, why } of report.skips) say(`SKIP ${name}: ${why}`);
  const details = 'describe' in backend && typeof backend.describe === 'function' ? backend.describe() : {};
  say(`backend ${backend.name} ${JSON.stringify(details)}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const { passed, failures, skips } = report;
  console.log(JSON.stringify({ passed, failed: failures.length, skipped: skips.length, backend: backend.name }));
  return failures.length === 0 ? 0 : 1;
}

if (process.argv[1]?.endsWith('main.js')) {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 2;
    },
  );
}
