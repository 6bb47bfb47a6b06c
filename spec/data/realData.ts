import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where the specs look for real images; only they fall back to a place beside the project. */
export const REAL_DATA_DIR = process.env['A2Q_DATA_DIR'] ?? '../shared/data';

/** False if the folder is there, otherwise why the test is skipped, as tap's `skip` wants it. */
export function skipWithout(folder: string): false | string {
  const path = join(REAL_DATA_DIR, folder);
  return existsSync(path) ? false : `no ${path}; set A2Q_DATA_DIR to the folder that holds ${folder}`;
}
