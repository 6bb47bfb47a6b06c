import { join, resolve } from 'node:path';
import { asOptions, asString } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';
import { fileExists, folderExists } from './files.js';

/** The environment variable that names the folder of the data sets. */
export const DATA_DIR_VARIABLE = 'A2Q_DATA_DIR';

/**
 * The folder that holds `bsd300/`, `cifar-10-batches-bin/` …: `--data-dir`, else the environment's A2Q_DATA_DIR, else
 * what a run remembers.
 *
 * @returns an absolute path to an existing folder
 * @throws DataError naming the flag and the variable if neither is set, or the one whose folder does not exist
 */
export async function resolveDataDir(
  argument?: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  remembered?: string,
): Promise<string> {
  asOptions('dataDir', environment, 'the environment');
  const given = argument || environment[DATA_DIR_VARIABLE] || remembered;
  const variable = environment[DATA_DIR_VARIABLE] ? DATA_DIR_VARIABLE : 'the run';
  const source = argument ? '--data-dir' : variable;
  if (!given) {
    throw new DataError('dataDir', `no data folder given; pass --data-dir DIR or set ${DATA_DIR_VARIABLE}`);
  }
  const path = resolve(asString('dataDir', 'the data folder', given));
  if (await folderExists(path)) return path;
  const what = (await fileExists(path)) ? `${path} is a file, not a folder` : `there is no folder ${path}`;
  throw new DataError('dataDir', `${source}: ${what}`);
}

/**
 * A sub-folder of the data folder.
 *
 * @throws DataError naming the missing folder and where it should come from
 */
export async function dataFolder(dataDir: string, ...parts: string[]): Promise<string> {
  for (const part of [dataDir, ...parts]) asString('dataDir', 'a folder', part);
  const path = join(dataDir, ...parts);
  if (!(await folderExists(path))) {
    const wanted = parts.join('/');
    throw new DataError(
      'dataDir',
      `no folder ${wanted} in ${dataDir}; --data-dir or ${DATA_DIR_VARIABLE} must name the folder ` +
        `that holds ${parts[0]}`,
    );
  }
  return path;
}
