import { dirname } from 'node:path';
import type { RunConfig } from '../train/config.js';
import { type DataSource, fingerprintOf, locateData } from '../train/node/datasets.js';
import { holdsRun, readRunConfig, rememberedData } from '../train/node/runFolder.js';
import { lockedChanges } from '../train/resume.js';
import type { DataFlags } from './dataFlags.js';
import type { Output } from './output.js';
import type { Subject } from './subject.js';
import { asUsage } from './usage.js';

/**
 * Finds the test images of a trained model: below `--data-dir`, else A2Q_DATA_DIR, else where its run found them. Their
 * classes are those of the run, by name. Notes tell what is no longer as it was in training.
 *
 * @throws UsageError naming what is missing and how to provide it
 */
export async function locateTestData(
  { path, checkpoint: { config } }: Pick<Subject, 'path' | 'checkpoint'>,
  flags: Partial<DataFlags>,
  out: Output,
): Promise<DataSource> {
  const folder = dirname(path);
  const run = (await holdsRun(folder)) ? await readRunConfig(folder) : null;
  if (run) noteEdits(config, run, out);
  const remembered = run ? rememberedData(folder, run) : [];
  const { classNames, origin } = config;
  const splits = classNames ? (['test'] as const) : (['train', 'test'] as const);
  const found = await asUsage(() => locateData(config.dataset, flags.dataDir, { remembered, splits }));
  const source = classNames ? { ...found, classes: classNames } : found;
  if (origin?.data && (await asUsage(() => fingerprintOf(source, 'test'))) !== origin.data.test) {
    out.note('note: these are not the test images that the run was begun with');
  }
  return source;
}

function noteEdits(trained: RunConfig, run: RunConfig, out: Output): void {
  const edited = lockedChanges(trained, run);
  if (edited.length > 0) out.note(`note: config.json is not of this checkpoint, which counts (${edited.join(', ')})`);
}
