/**
 * Where the time of a training step goes, kernel by kernel, on the wasm backend.
 *
 *     node dist/bench/profile.js espcn|resnet18|mobilenetv1 [float|a2q+] [off|f2|f4] [threads] [auto|plain|relaxed]
 */
import { setBackend } from '../lib/kernels/registry.js';
import { loadWasmBackend } from '../lib/kernels/wasm/index.js';
import { Machine } from '../lib/kernels/wasm/machine.js';
import type { WinogradChoice } from '../lib/kernels/wasm/winograd.js';
import type { Method } from '../lib/quant/methods.js';
import { makeStep, type StepModel } from './steps.js';

const ROUNDS = 7;

interface Entry {
  calls: number;
  ms: number;
}

/** Counts the calls and milliseconds of every kernel until `stop` is called. */
function watch(): { readonly entries: Map<string, Entry>; stop(): void } {
  const entries = new Map<string, Entry>();
  const proto = Machine.prototype as unknown as Record<'run' | 'runOnce', (name: string, ...rest: unknown[]) => void>;
  const { run, runOnce } = proto;
  const timed = (name: string, work: () => void): void => {
    const start = performance.now();
    work();
    const entry = entries.get(name) ?? { calls: 0, ms: 0 };
    entries.set(name, entry);
    entry.calls += 1;
    entry.ms += performance.now() - start;
  };
  for (const [method, original] of [
    ['run', run],
    ['runOnce', runOnce],
  ] as const) {
    proto[method] = function (this: Machine, name, ...rest) {
      timed(name, () => original.call(this, name, ...rest));
    };
  }
  return {
    entries,
    stop() {
      Object.assign(proto, { run, runOnce });
    },
  };
}

async function main(): Promise<void> {
  const [model = 'espcn', method = 'a2q+', winograd = 'f4', threads = '1', simd = 'auto'] = process.argv.slice(2);
  const relaxedSimd = simd === 'auto' ? simd : simd === 'relaxed';
  const options = { threads: Number(threads), winograd: winograd as WinogradChoice, relaxedSimd } as const;
  const backend = await loadWasmBackend(options);
  setBackend(backend);
  const step = makeStep(model as StepModel, method as Method);
  for (let i = 0; i < 4; i++) await step.run();
  const watched = watch();
  const start = performance.now();
  for (let i = 0; i < ROUNDS; i++) await step.run();
  const total = (performance.now() - start) / ROUNDS;
  watched.stop();
  let inside = 0;
  const rows = [...watched.entries].sort(([, a], [, b]) => b.ms - a.ms);
  for (const [name, { calls, ms }] of rows) {
    inside += ms / ROUNDS;
    const share = ((100 * ms) / ROUNDS / total).toFixed(1);
    process.stdout.write(
      `${name.padEnd(26)} ${(ms / ROUNDS).toFixed(2).padStart(8)} ms ${share.padStart(5)} % ${String(calls / ROUNDS).padStart(6)} calls\n`,
    );
  }
  const outside = total - inside;
  process.stdout.write(`${'outside of kernels'.padEnd(26)} ${outside.toFixed(2).padStart(8)} ms\n`);
  process.stdout.write(`${'step'.padEnd(26)} ${total.toFixed(2).padStart(8)} ms  (${step.name}, ${winograd})\n`);
  backend.close();
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
