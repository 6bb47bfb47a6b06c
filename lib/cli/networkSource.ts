import { extname } from 'node:path';
import { readBytes } from '../data/node/files.js';
import { importNetwork } from '../deploy/exchange/importNetwork.js';
import { decodeNetwork } from '../deploy/graph/file.js';
import type { IntegerGraph } from '../deploy/graph/graph.js';
import { fileExists } from '../train/node/files.js';
import { UsageError } from './usage.js';

/** Whether a path names an ONNX file. */
export function isOnnx(path: string): boolean {
  return extname(path).toLowerCase() === '.onnx';
}

/**
 * The network of a file: integers that `a2q deploy` or `a2q import` wrote, or an ONNX file, which is imported.
 * @throws UsageError if there is no such file, DataError if it is damaged or holds no network
 */
export async function readNetwork(path: string): Promise<IntegerGraph> {
  if (!(await fileExists(path))) throw new UsageError(`there is no file ${path}`);
  const bytes = await readBytes('network', path);
  if (!isOnnx(path)) return decodeNetwork(bytes, path);
  return importNetwork(bytes, path);
}
