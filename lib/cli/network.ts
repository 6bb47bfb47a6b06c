import { readFile } from 'node:fs/promises';
import { decodeNetwork } from '../deploy/graph/file.js';
import type { IntegerGraph } from '../deploy/graph/graph.js';
import { fileExists } from '../train/node/files.js';
import { UsageError } from './usage.js';

/**
 * The network of a file that `a2q deploy` wrote.
 * @throws UsageError if there is no such file, DataError if it is damaged or holds no network
 */
export async function openNetwork(file: string): Promise<IntegerGraph> {
  if (!(await fileExists(file))) throw new UsageError(`--model: there is no file ${file}`);
  return decodeNetwork(await readFile(file), file);
}
