import { rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { makeWritableFolder, writeAtomic } from '../../train/node/files.js';
import { addBackendOptions, type BackendFlags, TRAINING_WINOGRAD, useBackend } from '../backend.js';
import { listenForInterrupt } from '../interrupt.js';
import { formatSeconds, Output, percent } from '../output.js';
import { makeProgress, type Progress } from '../progress.js';
import { METHOD_LABELS } from '../report/theme.js';
import { asUsage, EXIT, integer } from '../usage.js';
import { type DemoPlan, FULL_PLAN, QUICK_PLAN } from './plan.js';
import { rowsOf, textTable } from './rows.js';
import { type DemoEvents, type DemoResults, runDemo } from './runDemo.js';

interface Flags extends BackendFlags {
  readonly out: string;
  readonly seed: number;
  readonly quick?: boolean;
  readonly json?: boolean;
}

/** The files of a demo. */
const FILES = { results: 'results.json', report: 'report.html' } as const;

/** `a2q demo`: from training to a report. */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description('a table in two to five minutes: QAT, A2Q and A2Q+ on narrower and narrower accumulators')
    .option('--out <folder>', 'where table and report go', join('runs', 'demo'))
    .option('--seed <n>', 'seeds weights, order and augmentation', integer(0, 2 ** 32 - 1), FULL_PLAN.seed)
    .option('--quick', 'seconds instead of minutes, on so little data that the numbers mean nothing');
  return addBackendOptions(command, TRAINING_WINOGRAD).option('--json', 'machine-readable output').action(demo);
}

async function demo(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const folder = resolve(flags.out);
  const backend = await useBackend(flags, TRAINING_WINOGRAD);
  await asUsage(() => makeWritableFolder(folder));
  const plan: DemoPlan = { ...(flags.quick ? QUICK_PLAN : FULL_PLAN), seed: flags.seed };
  const start = performance.now();
  const results = await run(plan, backend, folder);
  if (results === null) {
    out.note('interrupted; nothing was written');
    process.exitCode = EXIT.interrupted;
    return;
  }
  const rows = rowsOf(results);
  const seconds = (performance.now() - start) / 1000;
  // The plotting library takes half a second to load, so that only who plots pays for it.
  const { renderReport } = await import('./page.js');
  const page = await renderReport({ results, rows, backend, seconds });
  await writeAtomic(join(folder, FILES.results), `${JSON.stringify({ rows }, null, 2)}\n`);
  await writeAtomic(join(folder, FILES.report), page);
  out.say(textTable(rows));
  out.say(`${formatSeconds(seconds)} on ${backend}; accuracies on ${results.settings.testImages} images held out`);
  out.say(`report: ${join(flags.out, FILES.report)}`);
  out.result({ rows });
}

/** Runs the demo behind a progress bar; null if Ctrl-C ended it. */
async function run(plan: DemoPlan, backend: string, folder: string): Promise<DemoResults | null> {
  const progress = makeProgress();
  const interrupt = listenForInterrupt(
    () => progress.say('stopping after this step; once more to stop at once'),
    () => progress.end(),
  );
  try {
    progress.say(`ten glyphs, weights and activations of few bits, on ${backend}`);
    return await runDemo(plan, { ...report(progress), signal: interrupt.signal });
  } catch (error) {
    // Leaves no empty folder behind; one that holds anything stays.
    await rmdir(folder).catch(() => undefined);
    if (interrupt.signal.aborted && error === interrupt.signal.reason) return null;
    throw error;
  } finally {
    interrupt.release();
    progress.end();
  }
}

/** One bar for the whole demo, and a line for every network that is done. */
function report(progress: Progress): DemoEvents {
  let subject = '';
  return {
    onStart(work) {
      progress.begin('demo', work);
    },
    onBegin(method, accumulatorBits) {
      subject = nameOf(METHOD_LABELS[method], accumulatorBits);
    },
    onWork(done, note) {
      progress.update(done, `${subject}  ${note}`);
    },
    onFloat({ accuracy }) {
      progress.say(`${subject}  ${percent(accuracy, 2)}`);
    },
    onQuantized({ accuracy, trials }) {
      const tests = trials.map((trial) => {
        const overflows = trial.overflows.toLocaleString('en-US');
        return `${percent(trial.accuracy, 2)} on ${trial.accumulatorBits} bits (${overflows} overflows)`;
      });
      progress.say(`${subject}  ${percent(accuracy, 2)}; ${tests.join(', ')}`);
    },
  };
}

function nameOf(label: string, accumulatorBits: number | null): string {
  return (accumulatorBits === null ? label : `${label} for ${accumulatorBits} bits`).padEnd('A2Q+ for 12 bits'.length);
}
