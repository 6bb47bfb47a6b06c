import { extname } from 'node:path';
import { fitPixels, withChannels } from '../data/fitImage.js';
import { readBytes } from '../data/node/files.js';
import { readImage } from '../data/node/images.js';
import { byteTables, identityNormalisation, writePlanes } from '../data/normalise.js';
import type { DiffBatch } from '../deploy/diff.js';
import type { IntegerGraph } from '../deploy/graph/graph.js';
import { DataError } from '../tensor/errors.js';

/**
 * Real inputs of a network from files: images, normalised as the network says (else in 0 … 1), and arrays (`.pb`, as
 * ONNX has tensors; `.npy`).
 * @throws DataError naming the file, if it cannot be read or is no input of the network
 */
export async function* fileBatches(files: readonly string[], graph: IntegerGraph): AsyncGenerator<DiffBatch> {
  for (const file of files) yield holdsArray(file) ? await arrayBatch(file, graph) : await imageBatch(file, graph);
}

const holdsArray = (file: string) => ['.pb', '.npy'].includes(extname(file).toLowerCase());

async function arrayBatch(file: string, { input }: IntegerGraph): Promise<DiffBatch> {
  const bytes = await readBytes('diff', file);
  const isNpy = extname(file).toLowerCase() === '.npy';
  const { shape, data } = isNpy
    ? (await import('../deploy/exchange/npy.js')).readNpy(bytes, file)
    : (await import('../deploy/exchange/onnx/proto.js')).readTensor(bytes, file);
  const inputShape = shape.length === input.shape.length ? [1, ...shape] : shape;
  return { inputs: Float32Array.from(data as ArrayLike<number>, Number), inputShape };
}

async function imageBatch(file: string, { input, task }: IntegerGraph): Promise<DiffBatch> {
  const [channels, height, width] = input.shape;
  if (input.shape.length !== 3) throw new DataError('diff', `${file}: inputs of this network are no pictures`);
  const image = await readImage('diff', file);
  const fitted = task?.kind === 'labels' ? fitPixels(image, [channels, height, width]) : withChannels(image, channels);
  const inputs = new Float32Array(channels * fitted.height * fitted.width);
  writePlanes(fitted, byteTables(task?.pixels ?? identityNormalisation(channels)), inputs);
  return { inputs, inputShape: [1, channels, fitted.height, fitted.width] };
}
