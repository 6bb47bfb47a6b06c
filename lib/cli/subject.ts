import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Module } from '../nn/module.js';
import { type ModelCheckpoint, restoreModel } from '../train/checkpoint.js';
import { sourceOf } from '../train/models.js';
import { fileExists } from '../train/node/files.js';
import { openModel } from '../train/node/openModel.js';
import { holdsRun, readCheckpoint, runCheckpointPath } from '../train/node/runFolder.js';
import { UsageError } from './usage.js';

/** The options that name a trained model. */
export interface SubjectFlags {
  readonly run?: string;
  readonly checkpoint?: string;
  readonly last?: boolean;
}

export function addSubjectOptions(command: Command): Command {
  return command
    .option('--run <folder>', 'the folder of a run; its best epoch is taken')
    .option('--checkpoint <file>', 'a checkpoint of a run')
    .option('--last', 'take the last epoch of the run instead of the best');
}

/** Which file is meant. @throws UsageError unless exactly one of the options names one that is there */
export async function subjectPath({ run, checkpoint, last }: SubjectFlags): Promise<string> {
  if ((run === undefined) === (checkpoint === undefined)) {
    throw new UsageError('name either --run FOLDER or --checkpoint FILE');
  }
  if (checkpoint !== undefined) {
    if (last) throw new UsageError('--last goes with --run');
    if (await fileExists(checkpoint)) return checkpoint;
    throw new UsageError(`--checkpoint: there is no file ${checkpoint}`);
  }
  const folder = run as string;
  if (!(await holdsRun(folder))) throw new UsageError(`--run: ${folder} holds no run`);
  return runCheckpointPath(folder, last ? 'last' : 'best');
}

/** A trained model and the checkpoint it came from. */
export interface Subject {
  readonly path: string;
  readonly model: Module;
  readonly checkpoint: ModelCheckpoint;
}

/** Reads a checkpoint and builds its model, in evaluation mode. @throws DataError if the file is damaged */
export async function loadSubject(path: string): Promise<Subject> {
  const checkpoint = await readCheckpoint(path);
  const source = sourceOf(checkpoint.state, path);
  const model = await openModel(checkpoint.config, dirname(path), { source });
  restoreModel(model, checkpoint.state, path);
  model.eval();
  return { path, model, checkpoint };
}
