/**
 * The demo's sweep over several seeds: mean accuracies on the P-bit accumulator, A2Q beside A2Q+ and QAT, as JSON.
 *
 *     node dist/bench/demo-seeds.js [--seeds 0,1,2] [--quick] [--backend wasm] [--threads 2]
 */
import { Command, InvalidArgumentError } from 'commander';
import { addBackendOptions, type BackendFlags, TRAINING_WINOGRAD, useBackend } from '../lib/cli/backend.js';
import { FULL_PLAN, QUICK_PLAN } from '../lib/cli/demo/plan.js';
import { type DemoRow, rowsOf } from '../lib/cli/demo/rows.js';
import { runDemo } from '../lib/cli/demo/runDemo.js';

interface Flags extends BackendFlags {
  readonly seeds: readonly number[];
  readonly quick?: boolean;
}

const flags: Flags = addBackendOptions(new Command('demo-seeds'), TRAINING_WINOGRAD)
  .option('--seeds <list>', 'seeds, separated by commas', parseSeeds, [0, 1, 2])
  .option('--quick', 'a tiny sweep whose numbers mean nothing')
  .parse()
  .opts();
const backend = await useBackend(flags, TRAINING_WINOGRAD);
const { seeds } = flags;
const runs: { seed: number; seconds: number; rows: DemoRow[] }[] = [];
for (const seed of seeds) {
  const start = performance.now();
  const results = await runDemo({ ...(flags.quick ? QUICK_PLAN : FULL_PLAN), seed });
  const seconds = (performance.now() - start) / 1000;
  runs.push({ seed, seconds, rows: rowsOf(results) });
  process.stderr.write(`seed ${seed}: ${seconds.toFixed(1)} s\n`);
}

function parseSeeds(text: string): number[] {
  if (!/^\d+(,\d+)*$/.test(text)) throw new InvalidArgumentError('It must be seeds such as 0,1,2.');
  return text.split(',').map(Number);
}

/** Mean over the seeds of a figure of one method at one P. */
function mean(method: DemoRow['method'], accBits: number | null, figure: (row: DemoRow) => number): number {
  const found = runs.flatMap(({ rows }) => rows.filter((row) => row.method === method && row.accBits === accBits));
  return found.reduce((sum, row) => sum + figure(row), 0) / found.length;
}

const accuracy = (row: DemoRow) => row.accumulatorAccuracy;
const widths = [...new Set(runs[0].rows.flatMap(({ accBits }) => (accBits === null ? [] : [accBits])))];
const summary = {
  seeds,
  backend,
  floatAccuracy: mean('float', null, accuracy),
  qatFakeQuantAccuracy: mean('qat', widths[0], (row) => row.accuracy),
  means: widths.map((accBits) => ({
    accBits,
    qat: mean('qat', accBits, accuracy),
    a2q: mean('a2q', accBits, accuracy),
    'a2q+': mean('a2q+', accBits, accuracy),
    gain: mean('a2q+', accBits, accuracy) - mean('a2q', accBits, accuracy),
    overflows: {
      qat: mean('qat', accBits, ({ overflows }) => overflows),
      a2q: mean('a2q', accBits, ({ overflows }) => overflows),
      'a2q+': mean('a2q+', accBits, ({ overflows }) => overflows),
    },
  })),
  runs,
};
process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
