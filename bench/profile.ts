/**
 * Where the time of a training step goes, row by row, on the wasm backend: value, gradient or step, and by which path.
 *
 *     node dist/bench/profile.js espcn|resnet18|mobilenetv1 [float|a2q+] [off|f2|f4] [threads] [auto|plain|relaxed]
 */
import { setBackend } from '../lib/kernels/registry.js';
import { type Call, explain } from '../lib/kernels/trace.js';
import type { WinogradChoice } from '../lib/kernels/wasm/choices.js';
import { loadWasmBackend } from '../lib/kernels/wasm/index.js';
import type { Method } from '../lib/quant/methods.js';
import { makeStep, type StepModel } from './steps.js';

const ROUNDS = 7;

/** Calls of one kind, and the milliseconds they took together. */
interface Entry {
  calls: number;
  milliseconds: number;
}

/** Adds up calls by what they were, by which path, and on which algorithm where there was a choice. */
function addUp(calls: readonly Call[], entries: Map<string, Entry>): void {
  for (const { row, part, path, algorithm, milliseconds } of calls) {
    const name = `${row} ${part}, ${algorithm ?? path}`;
    const entry = entries.get(name) ?? { calls: 0, milliseconds: 0 };
    entries.set(name, entry);
    entry.calls += 1;
    entry.milliseconds += milliseconds;
  }
}

async function main(): Promise<void> {
  const [model = 'espcn', method = 'a2q+', winograd = 'f4', threads = '1', simd = 'auto'] = process.argv.slice(2);
  const relaxedSimd = simd === 'auto' ? simd : simd === 'relaxed';
  const options = { threads: Number(threads), winograd: winograd as WinogradChoice, relaxedSimd } as const;
  const backend = await loadWasmBackend(options);
  setBackend(backend);
  const step = makeStep(model as StepModel, method as Method);
  for (let i = 0; i < 4; i++) await step.run();
  const entries = new Map<string, Entry>();
  const start = performance.now();
  for (let i = 0; i < ROUNDS; i++) {
    const { result, calls } = explain(() => step.run());
    await result;
    addUp(calls, entries);
  }
  const total = (performance.now() - start) / ROUNDS;
  let inside = 0;
  for (const [name, { calls, milliseconds }] of [...entries].sort(([, a], [, b]) => b.milliseconds - a.milliseconds)) {
    const each = milliseconds / ROUNDS;
    inside += each;
    const share = ((100 * each) / total).toFixed(1);
    const columns = [name.padEnd(40), each.toFixed(2).padStart(8), 'ms', share.padStart(5), '%'];
    process.stdout.write(`${columns.join(' ')} ${String(calls / ROUNDS).padStart(6)} calls\n`);
  }
  process.stdout.write(`${'outside of rows'.padEnd(40)} ${(total - inside).toFixed(2).padStart(8)} ms\n`);
  process.stdout.write(`${'step'.padEnd(40)} ${total.toFixed(2).padStart(8)} ms  (${step.name}, ${winograd})\n`);
  backend.close();
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
