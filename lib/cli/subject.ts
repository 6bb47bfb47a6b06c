import { basename } from 'node:path';
import type { Command } from 'commander';
import { engineOf, formatEngine } from '../kernels/engine.js';
import { currentDevice } from '../tensor/current.js';
import { fileExists } from '../train/node/files.js';
import { openTrained, type Trained } from '../train/node/openTrained.js';
import { holdsRun, RUN_FILES, runCheckpointPath } from '../train/node/runFolder.js';
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
  if (!(await holdsRun(folder)))
    throw new UsageError(`--run: ${folder} holds no run; name a folder that a2q train made`);
  const path = await runCheckpointPath(folder, last ? 'last' : 'best');
  if (!last && basename(path) === RUN_FILES.last) {
    process.stderr.write(`note: ${folder} has no ${RUN_FILES.best}; the last epoch is taken, ${RUN_FILES.last}\n`);
  }
  return path;
}

/** What a command works on. */
export type Subject = Trained;

/** Opens a checkpoint, and says which integers had to be computed. @throws DataError if the file is damaged */
export async function loadSubject(path: string): Promise<Subject> {
  const subject = await openTrained(path);
  const { computed } = subject;
  if (computed.length > 0) {
    const layers = computed.length > 3 ? `${computed.length} layers` : computed.join(', ');
    const here = formatEngine(engineOf(currentDevice()));
    process.stderr.write(
      `note: ${path} holds no integers of ${layers}; they are computed from the weights on ${here}\n`,
    );
  }
  return subject;
}
