/** A process that trains in the folder it is given and tells every step, to be killed: `node trainChild.js FOLDER`. */
import '../../../lib/kernels/registry.js';
import { holdsRun } from '../../../lib/train/node/runFolder.js';
import { trainRun } from '../../../lib/train/node/trainRun.js';
import { tinyRun } from '../runs.js';

export const EVERY = 3;
const folder = process.argv[2];
const tell = (text: string) => void process.stdout.write(`${text}\n`);

/** Twelve epochs of five steps. */
export const KILLED_RUN = tinyRun({ epochs: 12, checkpointEvery: EVERY });

if (folder !== undefined) {
  await trainRun({
    folder,
    config: KILLED_RUN,
    source: { config: KILLED_RUN.dataset, dataDir: null },
    resume: await holdsRun(folder),
    backend: 'test',
    prefetch: false,
    events: {
      onStart: ({ step }) => tell(`start ${step}`),
      onStep: ({ step }) => tell(`step ${step}`),
      onNote: (text) => tell(`note ${text}`),
    },
  });
}
