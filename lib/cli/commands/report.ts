import { dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { release } from '../../data/batchSource.js';
import { writeAtomic } from '../../train/node/files.js';
import { openBatches } from '../../train/node/openBatches.js';
import { holdsRun, readLog, readRunConfig } from '../../train/node/runFolder.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { Output } from '../output.js';
import { makeProgress } from '../progress.js';
import { type Answers, answers } from '../runReport/answers.js';
import { layerFacts } from '../runReport/layers.js';
import { addSubjectOptions, loadSubject, type Subject, type SubjectFlags, subjectPath } from '../subject.js';
import { locateTestData } from '../subjectData.js';
import { integer, UsageError } from '../usage.js';

interface Flags extends SubjectFlags, BackendFlags, DataFlags {
  readonly out?: string;
  readonly images: boolean;
  readonly limitBatches?: number;
  readonly json?: boolean;
}

const REPORT = 'report.html';

export function reportCommand(): Command {
  const command = new Command('report').description('draw a run: one page with curves, layers, weights and answers');
  return addBackendOptions(addDataOptions(addSubjectOptions(command)))
    .option('--out <file>', `where to write (default: ${REPORT} in the run’s folder)`)
    .option('--no-images', 'draw without looking at test images: no confusion matrix, no pictures')
    .option('--limit-batches <n>', 'look at n batches of test images (default: all)', integer(1))
    .option('--json', 'machine-readable output')
    .action(reportRun);
}

async function reportRun(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  if (!flags.images && flags.limitBatches !== undefined) {
    throw new UsageError('--limit-batches has no meaning with --no-images');
  }
  const path = await subjectPath(flags);
  const backend = await useBackend(flags);
  const subject = await loadSubject(path);
  const { model, checkpoint } = subject;
  try {
    const { config, best, training } = checkpoint;
    const found = flags.images ? await test(flags, subject, out) : null;
    const layers = await layerFacts(model, config.shape.inputShape);
    const epoch = training ? training.position.epoch - 1 : (best?.epoch ?? null);
    const folder = dirname(path);
    const log = await readLog(folder);
    // A checkpoint that was taken out of its run has no other configuration than its own.
    const run = (await holdsRun(folder)) ? await readRunConfig(folder) : config;
    const dataDir = run.dataDir === undefined ? null : asTyped(resolve(folder, run.dataDir));
    // The plotting library takes half a second to load, so that only who plots pays for it.
    const { renderRun } = await import('../runReport/page.js');
    const page = await renderRun({
      ...{ config, run, folder, dataDir, checkpoint: path, epoch, log, layers, answers: found, backend },
    });
    const target = flags.out ?? join(folder, REPORT);
    await writeAtomic(target, page);
    out.say(`report: ${target}`);
    const told = layers.map(({ weights: _, ...layer }) => layer);
    out.result({ report: target, checkpoint: path, epoch, log, layers: told, answers: found && numbersOf(found) });
  } finally {
    model.dispose();
  }
}

/** A folder as one would type it here. */
function asTyped(path: string): string {
  const near = relative('', path);
  return near.startsWith('..') ? path : near || '.';
}

/** What the network makes of the test images. */
async function test(flags: Flags, subject: Subject, out: Output): Promise<Answers> {
  const { model, checkpoint } = subject;
  const { config } = checkpoint;
  const source = await locateTestData(subject, flags, out);
  const progress = makeProgress();
  progress.say(`reading ${config.dataset.name}/test`);
  const dataset = await openBatches(source, 'test', { prefetch: flags.prefetch });
  let begun = false;
  try {
    return await answers(model, dataset, {
      batchSize: config.batchSize,
      limitBatches: flags.limitBatches ?? null,
      onBatch(done, total) {
        if (!begun) progress.begin('testing', total);
        begun = true;
        progress.update(done);
      },
    });
  } finally {
    release(dataset);
    progress.end();
  }
}

/** Answers without their images. */
function numbersOf(answers: Answers): object {
  if (answers.kind === 'images') {
    const pictures = answers.pictures.map(({ psnr, bicubicPsnr }) => ({ psnr, bicubicPsnr }));
    return { ...answers, pictures };
  }
  const { mistakes: _, ...numbers } = answers;
  return numbers;
}
