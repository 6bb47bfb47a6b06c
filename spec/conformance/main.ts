import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import { checkGolden } from './checks.js';
import type { Json } from './golden.js';
import { Report } from './report.js';

const USAGE = `usage: npm run conformance -- DIR [--backend NAME] [--json]
Runs every golden file of DIR through the public API.`;

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

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { backend: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help || positionals.length !== 1) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const backend = setBackend(await startBackend(values.backend ?? 'wasm'));
  const started = performance.now();
  const report = await runConformance(positionals[0]);
  const say = values.json ? console.error : console.log;
  for (const { name, problems } of report.failures) say(`FAIL ${name}\n     ${problems.join('\n     ')}`);
  for (const { name, why } of report.skips) say(`SKIP ${name}: ${why}`);
  say(`backend ${backend.name}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
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
