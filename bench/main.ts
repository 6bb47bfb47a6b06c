import { availableParallelism } from 'node:os';
import { BackendError } from '../lib/tensor/errors.js';
import { CONV_CASES, MATMUL_CASES, runCases } from './cases.js';
import { certificateMain } from './certificate.js';
import { type Comparison, comparisonTable } from './comparison.js';
import { inferGpuMain } from './gpu/infer.js';
import { gpuMain } from './gpu/main.js';
import { guaranteeMain } from './guarantee.js';
import { inferMain } from './infer/main.js';
import { type Name, type Options, parseOptions, USAGE, UsageError } from './options.js';
import { type OurEngine, type OurOptions, ourEngine } from './ours.js';
import { sunk } from './timing.js';
import { compareSteps } from './trainingSteps.js';

async function* compare(name: Name, options: Options): AsyncGenerator<Comparison> {
  const { backend, simd, winograd, rounds } = options;
  const most = backend === 'wasm' ? (options.threads ?? Math.min(availableParallelism(), 8)) : 1;
  const threads = name === 'step' ? [...new Set([1, most])] : [options.threads ?? 1];
  const engines: OurEngine[] = [];
  try {
    for (const each of threads) engines.push(await started({ backend, threads: each, simd, winograd }));
    if (name === 'step') {
      yield* compareSteps(engines, options.torch, { warmup: 2, rounds: rounds ?? 9 });
    } else {
      const cases = name === 'matmul' ? MATMUL_CASES : CONV_CASES;
      const skipped = (what: string, why: string) => process.stderr.write(`skipped: ${what}: ${why}\n`);
      yield* runCases(cases, engines[0], skipped, rounds);
    }
  } finally {
    for (const engine of engines) engine.close();
  }
}

/** @throws UsageError if what was asked for cannot run here */
async function started(options: OurOptions): Promise<OurEngine> {
  try {
    return await ourEngine(options);
  } catch (error) {
    if (error instanceof BackendError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function main(): Promise<number> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'gpu') return gpuMain(rest);
  if (first === 'infer-gpu') return inferGpuMain(rest);
  if (first === 'guarantee') return guaranteeMain(rest);
  if (first === 'certificate') return certificateMain(rest);
  if (first === 'infer') return inferMain(rest);
  const options = await parseOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const comparisons: Comparison[] = [];
  for (const name of options.names) {
    for await (const each of compare(name, options)) {
      comparisons.push(each);
      if (options.json) process.stdout.write(`${JSON.stringify(each)}\n`);
      else process.stderr.write(`${each.name} against ${each.theirsName}: ${each.ratio.toFixed(2)}\n`);
    }
  }
  if (!options.json && comparisons.length > 0) {
    const [{ backend, simd, winograd }] = comparisons;
    process.stdout.write(`${comparisonTable(comparisons)}\n`);
    const what = simd === null ? backend : `${backend}, ${simd} SIMD, Winograd ${winograd}`;
    process.stdout.write(
      'Medians (minima) of runs that took turns in one process, results read back; ratio above 1: ours is faster.\n' +
        `ours: ${what}; Node ${process.version}\n`,
    );
  }
  if (!Number.isFinite(sunk())) throw new Error('results were not finite');
  return comparisons.length > 0 ? 0 : 1;
}

// A reader that went away (`… | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
    if (error instanceof UsageError) process.stderr.write(`${USAGE}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
