import { Command, Option } from 'commander';
import { type Batchable, madeIn, release } from '../../data/batchSource.js';
import type { Overflow } from '../../deploy/accumulator/register.js';
import { type LayerTally, withAccumulators } from '../../deploy/simulate.js';
import type { Module } from '../../nn/module.js';
import type { Method } from '../../quant/methods.js';
import type { ModelCheckpoint } from '../../train/checkpoint.js';
import type { RunConfig } from '../../train/config.js';
import { type EvaluateOptions, evaluate } from '../../train/evaluate.js';
import { modelName } from '../../train/models.js';
import { openBatches } from '../../train/node/openBatches.js';
import { type Task, taskOf } from '../../train/task.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { formatMetric, Output } from '../output.js';
import { makeProgress, type Progress } from '../progress.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { locateTestData } from '../subjectData.js';
import { integer, UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags, DataFlags {
  readonly batchSize?: number;
  readonly limitBatches?: number;
  readonly accBits?: number;
  readonly overflow?: Overflow;
  readonly json?: boolean;
}

export function evalCommand(): Command {
  const command = new Command('eval').description('measure a trained model on its test images');
  return addBackendOptions(addDataOptions(addSubjectOptions(command)))
    .option('--batch-size <n>', 'images at a time (default: as in training)', integer(1))
    .option('--limit-batches <n>', 'stop after n batches, evenly of all classes (default: all)', integer(1))
    .option(
      '--acc-bits <P>',
      'sum hidden layers in registers of P bits, and count what does not fit (default: no limit)',
      integer(2, 32),
    )
    .addOption(
      new Option('--overflow <mode>', 'what a register does then (default: wrap)').choices(['wrap', 'saturate']),
    )
    .option('--json', 'machine-readable output')
    .action(evaluateModel);
}

async function evaluateModel(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const path = await subjectPath(flags);
  const backend = await useBackend(flags);
  const { model, checkpoint } = await loadSubject(path);
  const { config, best } = checkpoint;
  checkRegister(flags, config.method);
  const source = await locateTestData({ path, checkpoint }, flags, out);
  const progress = makeProgress();
  let dataset: Batchable | null = null;
  try {
    progress.say(`reading ${config.dataset.name}/test`);
    const test = await openBatches(source, 'test', { prefetch: flags.prefetch });
    dataset = test;
    for (const note of test.notes ?? []) progress.say(`note: ${note}`);
    const task = taskOf(test);
    const start = performance.now();
    const options = evaluateOptions(flags, config, progress);
    const measured = await onRegister(flags, model, () => evaluate(model, test, task, options));
    const { loss, metric, samples } = measured.result;
    const seconds = (performance.now() - start) / 1000;
    const { method, weightBits = null, actBits = null, accumulatorBits = null } = config;
    progress.end();
    const found = `${task.metric} ${formatMetric(task.metric, metric)}`;
    out.say(`${found} on ${samples} images of ${test.name}; loss ${loss.toPrecision(5)}`);
    const before = trainingFigure(checkpoint);
    if (before) out.say(describeTraining(before, task));
    if (measured.register) out.say(describeRegister(measured.register));
    out.result({
      checkpoint: path,
      epoch: best?.epoch ?? null,
      ...{ model: modelName(config), dataset: test.name, method, weightBits, actBits, accumulatorBits },
      ...{ metricName: task.metric, metric, loss, samples, seconds, backend, batchesMadeIn: madeIn(test) },
      ...{ inTraining: before, register: measured.register },
    });
  } finally {
    if (dataset) release(dataset);
    progress.end();
    model.dispose();
  }
}

/** What training measured of the very same model, and on what. */
interface TrainingFigure {
  readonly metric: number;
  /** Test images, or validation images split off the training images. */
  readonly testedOn: 'test' | 'val';
  /** Batches it was cut to; null if it was not. */
  readonly limitBatches: number | null;
  readonly batchSize: number;
}

/** Null if the checkpoint is not the one that was measured: the last one holds the best figure, of another epoch. */
function trainingFigure({ best, training, config }: ModelCheckpoint): TrainingFigure | null {
  if (best === null || training !== null) return null;
  const { valShare, limitBatches = null, batchSize } = config;
  return { metric: best.metric, testedOn: valShare === undefined ? 'test' : 'val', limitBatches, batchSize };
}

function describeTraining({ metric, testedOn, limitBatches, batchSize }: TrainingFigure, task: Task): string {
  const which = testedOn === 'val' ? 'validation images split off the training images' : 'test images';
  const cut = limitBatches === null ? '' : ` (${limitBatches} batches of ${batchSize}: --limit-batches)`;
  return `in training it was ${formatMetric(task.metric, metric)}, on ${which}${cut}`;
}

function evaluateOptions({ batchSize, limitBatches }: Flags, config: RunConfig, progress: Progress): EvaluateOptions {
  let begun = false;
  return {
    batchSize: batchSize ?? config.batchSize,
    limitBatches: limitBatches ?? null,
    onBatch(done, total) {
      if (!begun) progress.begin('testing', total);
      begun = true;
      progress.update(done);
    },
  };
}

/** The registers the hidden layers were summed in, and what happened there. */
interface RegisterReport {
  readonly accumulatorBits: number;
  readonly overflow: Overflow;
  readonly overflows: number;
  readonly layers: readonly LayerTally[];
}

/** @throws UsageError if there is nothing to sum in registers */
function checkRegister({ accBits, overflow }: Flags, method: Method): void {
  if (accBits === undefined && overflow !== undefined) throw new UsageError('--overflow goes with --acc-bits');
  if (accBits !== undefined && method === 'float') {
    throw new UsageError('--acc-bits: a float model has no integers to sum; train it with --method qat, a2q or a2q+');
  }
}

/** Evaluates as asked for: as training sees the model, or with its hidden layers summed in P-bit registers. */
async function onRegister<T>(
  { accBits, overflow = 'wrap' }: Flags,
  model: Module,
  work: () => Promise<T>,
): Promise<{ result: T; register: RegisterReport | null }> {
  if (accBits === undefined) return { result: await work(), register: null };
  const { result, overflows, layers } = await withAccumulators(model, { accumulatorBits: accBits, overflow }, work);
  return { result, register: { accumulatorBits: accBits, overflow, overflows, layers } };
}

function describeRegister({ accumulatorBits, overflow, overflows, layers }: RegisterReport): string {
  const count = (value: number) => value.toLocaleString('en-US');
  const sums = layers.reduce((total, each) => total + each.sums, 0);
  const where = layers.flatMap((each) => (each.overflows === 0 ? [] : [`${each.layer} ${count(each.overflows)}`]));
  const what = `${overflow === 'wrap' ? 'wrapping' : 'saturating'} ${accumulatorBits}-bit accumulators`;
  const which = where.length > 0 ? ` (${where.join(', ')})` : '';
  return `${what}: ${count(overflows)} of ${count(sums)} partial sums overflowed${which}`;
}
