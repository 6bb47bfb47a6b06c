/**
 * Where the time of a training step goes, row by row, on the wasm backend.
 *
 *     node dist/bench/profile.js espcn|resnet18|mobilenetv1 [float|a2q+] [off|f2|f4] [threads] [auto|plain|relaxed]
 */
import { setBackend } from '../lib/kernels/registry.js';
import { type Call, explain } from '../lib/kernels/trace.js';
import { loadWasmBackend } from '../lib/kernels/wasm/index.js';
import type { WinogradChoice } from '../lib/kernels/wasm/winograd.js';
import type { Method } from '../lib/quant/methods.js';
import { makeStep, type StepModel } from './steps.js';

const ROUNDS = 7;

interface Entry {
  calls: number;
  ms: number;
}

/** Calls and milliseconds of each row, part and algorithm. */
function totals(calls: readonly Call[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const { row, part, path, algorithm, milliseconds } of calls) {
    const name = [row, part, ...(algorithm ? [algorithm] : path === 'fast' ? [] : [path])].join(', ');
    const entry = entries.get(name) ?? { calls: 0, ms: 0 };
    entries.set(name, entry);
    entry.calls += 1;
    entry.ms += milliseconds;
  }
  return entries;
}

async function main(): Promise<void> {
  const [model = 'espcn', method = 'a2q+', winograd = 'f4', threads = '1', simd = 'auto'] = process.argv.slice(2);
  const relaxedSimd = simd === 'auto' ? simd : simd === 'relaxed';
  const options = { threads: Number(threads), winograd: winograd as WinogradChoice, relaxedSimd } as const;
  const backend = await loadWasmBackend(options);
  setBackend(backend);
  const step = makeStep(model as StepModel, method as Method);
  for (let i = 0; i < 4; i++) await step.run();
  const calls: Call[] = [];
  const start = performance.now();
  for (let i = 0; i < ROUNDS; i++) {
    const told = explain(() => step.run());
    calls.push(...told.calls);
    await told.result;
  }
  const total = (performance.now() - start) / ROUNDS;
  let inside = 0;
  for (const [name, { calls: count, ms }] of [...totals(calls)].sort(([, a], [, b]) => b.ms - a.ms)) {
    inside += ms / ROUNDS;
    const share = ((100 * ms) / ROUNDS / total).toFixed(1);
    const time = `${(ms / ROUNDS).toFixed(2).padStart(8)} ms ${share.padStart(5)} %`;
    process.stdout.write(`${name.padEnd(64)} ${time} ${String(count / ROUNDS).padStart(6)} calls\n`);
  }
  process.stdout.write(`${'outside of rows'.padEnd(64)} ${(total - inside).toFixed(2).padStart(8)} ms\n`);
  process.stdout.write(`${'step'.padEnd(64)} ${total.toFixed(2).padStart(8)} ms  (${step.name}, ${winograd})\n`);
  backend.close();
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
