import { Command } from 'commander';
import { type Batchable, madeIn, release } from '../../data/batchSource.js';
import { evaluate } from '../../train/evaluate.js';
import { modelName } from '../../train/models.js';
import { locateData } from '../../train/node/datasets.js';
import { openBatches } from '../../train/node/openBatches.js';
import { taskOf } from '../../train/task.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { formatMetric, Output } from '../output.js';
import { makeProgress } from '../progress.js';
import { addSubjectOptions, loadSubject, type SubjectFlags, subjectPath } from '../subject.js';
import { asUsage, integer } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags, DataFlags {
  readonly batchSize?: number;
  readonly limitBatches?: number;
  readonly json?: boolean;
}

export function evalCommand(): Command {
  const command = new Command('eval').description('measure a trained model on its test images');
  return addBackendOptions(addDataOptions(addSubjectOptions(command)))
    .option('--batch-size <n>', 'images at a time (default: as in training)', integer(1))
    .option('--limit-batches <n>', 'stop after n batches', integer(1))
    .option('--json', 'machine-readable output')
    .action(evaluateModel);
}

async function evaluateModel(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const path = await subjectPath(flags);
  const backend = await useBackend(flags);
  const { model, checkpoint } = await loadSubject(path);
  const { config, best } = checkpoint;
  const source = await asUsage(() => locateData(config.dataset, flags.dataDir));
  const progress = makeProgress();
  let dataset: Batchable | null = null;
  try {
    progress.say(`reading ${config.dataset.name}/test`);
    dataset = await openBatches(source, 'test', { prefetch: flags.prefetch });
    const task = taskOf(dataset);
    const start = performance.now();
    let begun = false;
    const { loss, metric, samples } = await evaluate(model, dataset, task, {
      batchSize: flags.batchSize ?? config.batchSize,
      ...(flags.limitBatches === undefined ? {} : { limitBatches: flags.limitBatches }),
      onBatch(done, total) {
        if (!begun) progress.begin('testing', total);
        begun = true;
        progress.update(done);
      },
    });
    const seconds = (performance.now() - start) / 1000;
    const { method, weightBits = null, actBits = null, accumulatorBits = null } = config;
    progress.end();
    out.say(
      `${task.metric} ${formatMetric(task.metric, metric)} on ${samples} images of ${dataset.name}; loss ${loss.toPrecision(5)}`,
    );
    out.result({
      checkpoint: path,
      epoch: best?.epoch ?? null,
      ...{ model: modelName(config), dataset: dataset.name, method, weightBits, actBits, accumulatorBits },
      ...{ metricName: task.metric, metric, loss, samples, seconds, backend, batchesMadeIn: madeIn(dataset) },
    });
  } finally {
    if (dataset) release(dataset);
    progress.end();
    model.dispose();
  }
}
