import { rmdir } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { Command } from 'commander';
import type { RoundedLayer } from '../../deploy/axe/roundWeights.js';
import { currentBackend } from '../../kernels/registry.js';
import { parseConfig, type RunConfig } from '../../train/config.js';
import { type DataSource, inspectData, locateData } from '../../train/node/datasets.js';
import { fileExists, makeWritableFolder } from '../../train/node/files.js';
import { openModel } from '../../train/node/openModel.js';
import { checkRounds, quantizeRun } from '../../train/node/quantizeRun.js';
import { holdsRun } from '../../train/node/runFolder.js';
import { resolveSettings } from '../../train/settings.js';
import { addBackendOptions, type BackendFlags, useBackend } from '../backend.js';
import { addDataOptions, type DataFlags } from '../dataFlags.js';
import { listenForInterrupt } from '../interrupt.js';
import { formatMetric, Output, percent } from '../output.js';
import { makeProgress } from '../progress.js';
import { addQuantizeOptions, givenSettings } from '../trainFlags.js';
import { trainingEvents } from '../trainingEvents.js';
import { asUsage, UsageError } from '../usage.js';

interface Flags extends BackendFlags, DataFlags {
  readonly out: string;
  readonly json?: boolean;
}

/** Images that activations and rounding are set by, unless told otherwise. */
const CALIBRATION_IMAGES = 1000;

export function quantizeCommand(): Command {
  const command = new Command('quantize')
    .description('quantize a trained float model without training it, into a folder like that of a run')
    .requiredOption('--out <folder>', 'where the result lives: a2q eval, audit and deploy take it as a run');
  return addBackendOptions(addQuantizeOptions(addDataOptions(command)))
    .option('--json', 'machine-readable output')
    .action(quantize);
}

async function quantize(flags: Flags): Promise<void> {
  const out = new Output(flags.json ?? false);
  const folder = resolve(flags.out);
  const backend = await useBackend(flags);
  const { config, source } = await plan(flags, folder);
  await asUsage(() => makeWritableFolder(folder));
  const progress = makeProgress();
  const interrupt = listenForInterrupt(
    () => progress.say('stopping after this batch; once more to stop at once'),
    () => progress.end(),
  );
  try {
    const { layers, evaluation, metric } = await quantizeRun({
      ...{ folder, config, source },
      prefetch: flags.prefetch,
      signal: interrupt.signal,
      events: trainingEvents(progress, config),
    });
    progress.end();
    for (const layer of layers) out.say(describeLayer(layer));
    out.say(`${metric} ${formatMetric(metric, evaluation.metric)} on ${evaluation.samples} images`);
    out.result({ run: flags.out, config, backend, layers, metricName: metric, ...evaluation });
  } catch (error) {
    // Leaves no empty folder behind; one that holds anything stays.
    await rmdir(folder).catch(() => undefined);
    throw error;
  } finally {
    interrupt.release();
    progress.end();
  }
}

/** Everything that can be refused before work starts. @throws UsageError */
async function plan(flags: Flags, folder: string): Promise<{ config: RunConfig; source: DataSource }> {
  if (await holdsRun(folder)) throw new UsageError(`--out: ${flags.out} holds a run already`);
  const given = givenSettings(flags);
  if (!given.has('start.calibrationSamples')) given.set('start.calibrationSamples', CALIBRATION_IMAGES);
  const file = given.get('module');
  if (typeof file === 'string') given.set('module', relative(folder, resolve(file)));
  const settings = await asUsage(() => resolveSettings(given, null));
  const source = await asUsage(() => locateData(settings.dataset, flags.dataDir));
  const shape = await asUsage(() => inspectData(source));
  const { name } = currentBackend();
  const config = parseConfig({ format: 'a2q-run', version: 2, ...settings, shape, backend: name }, 'flags');
  const initFrom = await asUsage(() => checkRounds(config));
  if (!(await fileExists(initFrom)) && !(await holdsRun(initFrom))) {
    throw new UsageError(`--init-from: ${initFrom} is neither a file nor the folder of a run`);
  }
  const model = await asUsage(() => openModel(config, folder));
  model.dispose();
  return { config, source };
}

function describeLayer({ layer, tileBits, tile, safeTileBits, safeBits, sparsity }: RoundedLayer): string {
  const zeros = `${percent(sparsity)} zeros`;
  if (tileBits === null) return `${layer}: safe with ${safeBits} bits, ${zeros}`;
  return `${layer}: P = ${tileBits} for ${tile} terms, which need ${safeTileBits}; all of them ${safeBits}; ${zeros}`;
}
