import { rmdir } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { currentBackend } from '../../kernels/registry.js';
import { configJsonSchema, parseConfig, type RunConfig } from '../../train/config.js';
import { checkSameClasses } from '../../train/matchClasses.js';
import { classNamesOf, type DataSource, inspectData, locateData } from '../../train/node/datasets.js';
import { fileExists, makeWritableFolder } from '../../train/node/files.js';
import { openModel } from '../../train/node/openModel.js';
import { holdsRun, readRunConfig, readWeights, rememberedData } from '../../train/node/runFolder.js';
import { checkTrains, type RunResult, trainRun } from '../../train/node/trainRun.js';
import { describeChange, lockedChanges } from '../../train/resume.js';
import { settingNotes, zeroNote } from '../../train/settingNotes.js';
import { resolveSettings } from '../../train/settings.js';
import { addBackendOptions, type BackendFlags, TRAINING_WINOGRAD, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags, describeBatches } from '../dataFlags.js';
import { listenForInterrupt } from '../interrupt.js';
import { formatBytes, formatMetric, Output } from '../output.js';
import { makeProgress } from '../progress.js';
import { addTrainOptions, givenSettings } from '../trainFlags.js';
import { trainingEvents } from '../trainingEvents.js';
import { planText } from '../trainingPlan.js';
import { asUsage, EXIT, UsageError } from '../usage.js';

interface Flags extends BackendFlags, DataFlags {
  readonly out: string;
  readonly resume?: boolean;
  readonly rescue?: string;
  readonly json?: boolean;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model, in a folder from which it can be resumed')
    .requiredOption('--out <folder>', 'where the run lives')
    .option('--resume', 'go on with the run in that folder; epochs, learning rate, schedule and backend may differ')
    .option('--rescue <folder>', 'where its files go if that folder cannot be written (default: that of the system)')
    .option('--schema', 'print the JSON Schema of config.json, and do nothing else')
    .on('option:schema', () => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
      throw new CommanderError(0, 'a2q.schema', 'the schema was printed');
    });
  return addBackendOptions(addTrainOptions(addDataOptions(command)), TRAINING_WINOGRAD)
    .option('--json', 'machine-readable output')
    .action(train);
}

async function train(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const folder = resolve(flags.out);
  const backend = await useBackend(flags, TRAINING_WINOGRAD);
  const { config, source, words } = await plan(flags, folder, backend);
  await asUsage(() => makeWritableFolder(folder));
  for (const line of words) out.note(line);

  const progress = makeProgress();
  const interrupt = listenForInterrupt(
    () => progress.say('stopping after this step; once more to stop at once'),
    () => progress.end(),
  );
  let result: RunResult;
  try {
    result = await trainRun({
      folder,
      config,
      source,
      resume: flags.resume ?? false,
      backend,
      prefetch: flags.prefetch,
      store: flags.rescue === undefined ? {} : { rescue: resolve(flags.rescue) },
      signal: interrupt.signal,
      events: trainingEvents(progress, config),
    });
  } catch (error) {
    // Leaves no empty folder behind; one that holds anything stays.
    await rmdir(folder).catch(() => undefined);
    throw error;
  } finally {
    interrupt.release();
    progress.end();
  }
  report(out, flags.out, config, result, backend);
}

/** What is to be done, and what is said of it before. */
interface Plan {
  readonly config: RunConfig;
  readonly source: DataSource;
  readonly words: readonly string[];
}

/** Everything that can be refused before work starts. @throws UsageError */
async function plan(flags: Flags, folder: string, backend: string): Promise<Plan> {
  const exists = await holdsRun(folder);
  if (flags.resume && !exists)
    throw new UsageError(`--resume: ${flags.out} holds no run; leave --resume out to begin one`);
  if (!flags.resume && exists) throw new UsageError(`--out: ${flags.out} holds a run already; add --resume to go on`);
  const saved = exists ? await readRunConfig(folder) : null;
  const given = givenSettings(flags);
  const file = given.get('module');
  // Relative to the run, so that it is found from wherever the run is used.
  if (typeof file === 'string') given.set('module', relative(folder, resolve(file)));
  const settings = await asUsage(() => resolveSettings(given, saved));
  await asUsage(() => checkTrains(settings));
  const remembered = saved ? rememberedData(folder, saved) : [];
  const source = await asUsage(() => locateData(settings.dataset, flags.dataDir, { remembered }));
  const shape = await asUsage(() => inspectData(source));
  const { name } = currentBackend();
  const config = parseConfig({ format: 'a2q-run', version: 2, ...settings, shape, backend: name }, 'flags');
  if (saved) checkResumed(saved, config);
  else if (config.start.initFrom !== undefined) await checkInitFrom(config.start.initFrom, source);
  const model = await asUsage(() => openModel(config, folder));
  const notes = saved ? [] : settingNotes(config, model, new Set(given.keys()));
  const words = [planText(fromHere(config, folder), model, backend), ...notes.map((note) => `note: ${note}`)];
  model.dispose();
  return { config, source, words };
}

/** The configuration with the module's path as one would type it here; in the run's folder it is relative to that. */
function fromHere(config: RunConfig, folder: string): RunConfig {
  if (config.module === undefined) return config;
  return { ...config, module: relative(process.cwd(), resolve(folder, config.module)) };
}

/** @throws UsageError if a resumed run would become another one */
function checkResumed(saved: RunConfig, config: RunConfig): void {
  const changed = lockedChanges(saved, config);
  if (changed.length === 0) return;
  const what = changed.map((path) => describeChange(saved, config, path)).join('; ');
  throw new UsageError(`--resume: the run was begun with other settings (${what})`);
}

async function checkInitFrom(path: string, source: DataSource): Promise<void> {
  if (!(await fileExists(path)) && !(await holdsRun(path))) {
    throw new UsageError(`--init-from: ${path} is neither a file nor the folder of a run`);
  }
  await asUsage(async () => checkSameClasses(await readWeights(path), await classNamesOf(source)));
}

/** Says how it ended. */
function report(out: Output, folder: string, config: RunConfig, result: RunResult, backend: string): void {
  const { best, log, position, interrupted, batchesMadeIn, peakBytes } = result;
  const metricName = log.at(-1)?.metricName ?? null;
  if (best && metricName)
    out.say(`best ${metricName} ${formatMetric(metricName, best.metric)} in epoch ${best.epoch + 1}`);
  if (interrupted) {
    const at = `epoch ${position.epoch + 1} of ${config.epochs}, after ${position.batch} batches`;
    out.say(`interrupted in ${at}; go on with: a2q train --resume --out ${folder}`);
    process.exitCode = EXIT.interrupted;
  } else {
    out.say(`run finished: ${folder}`);
  }
  const zeros = log.at(-1)?.zeroLayers ?? [];
  if (zeros.length > 0) out.say(`note: ${zeroNote(zeros, config)}`);
  if (batchesMadeIn) out.say(`batches were made ${describeBatches(batchesMadeIn)}`);
  if (peakBytes !== null) out.say(`a training step held at most ${formatBytes(peakBytes)} of tensors`);
  const measured = { batchesMadeIn, peakBytes };
  out.result({ run: folder, config, backend, ...measured, metricName, best, interrupted, position, epochs: log });
}
