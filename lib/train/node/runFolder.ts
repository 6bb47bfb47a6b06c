import { join, resolve } from 'node:path';
import { readBytes } from '../../data/node/files.js';
import { asChoice, asList, asOptions, asString } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { decodeCheckpoint, decodeNamedWeights, type ModelCheckpoint } from '../checkpoint.js';
import { checkedConfig, parseConfigText, type RunConfig } from '../config.js';
import { formatLog, type LogLine, parseLog } from '../log.js';
import type { NamedState } from '../prepare.js';
import { fileExists, readTextIfAny, writeAtomic } from './files.js';

/** The files of a run. */
export const RUN_FILES = {
  /** Everything needed to build model, data and recipe again. */
  config: 'config.json',
  /** Model, optimizer and position: what `--resume` goes on from. */
  last: 'last.safetensors',
  /** The model of the epoch with the best metric. */
  best: 'best.safetensors',
  /** One JSON line an epoch. */
  log: 'log.jsonl',
  /** What `a2q audit` proved. */
  certificate: 'certificate.json',
} as const;

/** The path of a file of a run. @throws ArgumentError unless the folder is a string */
function within(folder: string, name: string): string {
  return join(asString('run', 'the folder', folder), name);
}

/** The configuration of a run. @throws DataError if the folder holds no run, or a damaged one */
export async function readRunConfig(folder: string): Promise<RunConfig> {
  const path = within(folder, RUN_FILES.config);
  const text = await readTextIfAny(path);
  if (text === null) throw new DataError('run', `${folder} holds no run (no ${RUN_FILES.config})`);
  return parseConfigText(text, path);
}

/** Whether the folder holds a run. */
export async function holdsRun(folder: string): Promise<boolean> {
  return fileExists(within(folder, RUN_FILES.config));
}

/** Folders where the data of a run may be, likeliest first: beside the run, and where they were when it began. */
export function rememberedData(folder: string, config: RunConfig): string[] {
  asString('run', 'the folder', folder);
  const { dataDir, dataPath } = checkedConfig('run', config, ['dataDir', 'dataPath']);
  const places = [...(dataDir === undefined ? [] : [resolve(folder, dataDir)]), ...(dataPath ? [dataPath] : [])];
  return [...new Set(places)];
}

/** The configuration as it is written. */
export function formatConfig(config: RunConfig): string {
  return `${JSON.stringify(config, null, 2)}\n`;
}

export async function writeRunConfig(folder: string, config: RunConfig): Promise<void> {
  await writeAtomic(within(folder, RUN_FILES.config), formatConfig(checkedConfig('run', config)));
}

/** The log's lines before epoch `before`, none if there is no log. @throws DataError naming a line that is damaged */
export async function readLog(folder: string, before = Number.POSITIVE_INFINITY): Promise<LogLine[]> {
  const path = within(folder, RUN_FILES.log);
  return parseLog((await readTextIfAny(path)) ?? '', path).filter(({ epoch }) => epoch < before);
}

export async function writeLog(folder: string, lines: readonly LogLine[]): Promise<void> {
  for (const line of asList('run', 'the lines', lines)) asOptions('run', line, 'a line');
  await writeAtomic(within(folder, RUN_FILES.log), formatLog(lines));
}

/** Reads one of our checkpoints. @throws DataError naming a file that is missing or damaged */
export async function readCheckpoint(path: string): Promise<ModelCheckpoint> {
  return decodeCheckpoint(await readBytes('checkpoint', path), path);
}

/**
 * The checkpoint of a run that stands for it: the best one, or the last if no epoch has ended yet.
 * @throws DataError if there is neither
 */
export async function runCheckpointPath(folder: string, which: 'best' | 'last' = 'best'): Promise<string> {
  asChoice('run', 'which', which, ['best', 'last']);
  const order = which === 'best' ? [RUN_FILES.best, RUN_FILES.last] : [RUN_FILES.last];
  for (const name of order) {
    const path = within(folder, name);
    if (await fileExists(path)) return path;
  }
  throw new DataError('run', `${folder} has no ${order.join(' and no ')}; has it been trained?`);
}

/**
 * Weights, biases and norms of any safetensors file, or of the best checkpoint of a run's folder: without quantizers.
 * @throws DataError naming what is missing or damaged
 */
export async function readWeights(fileOrFolder: string): Promise<NamedState> {
  const isRun = await holdsRun(fileOrFolder);
  const name = isRun ? await runCheckpointPath(fileOrFolder) : fileOrFolder;
  const { state, classNames } = decodeNamedWeights(await readBytes('initFrom', name), name);
  return { state, name, ...(classNames ? { classNames } : {}) };
}
