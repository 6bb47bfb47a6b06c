import { extname } from 'node:path';
import { readBytes } from '../../data/node/files.js';
import { readImage } from '../../data/node/images.js';
import { quantizeInput } from '../../deploy/graph/decode.js';
import type { IntegerGraph } from '../../deploy/graph/graph.js';
import { fittedInput } from '../../deploy/runtime/pictures.js';
import type { IntegerValue } from '../../deploy/runtime/reference.js';
import { DataError, formatShape } from '../../tensor/errors.js';

/** Numbers from a file. */
interface ArrayFile {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
  readonly type: string;
}

type ReadArray = (bytes: Uint8Array, name: string) => ArrayFile | Promise<ArrayFile>;

/** Readers by the ending of a file, loaded when one is met. */
const READERS: Readonly<Record<string, ReadArray>> = {
  '.pb': async (bytes, name) => (await import('../../deploy/exchange/onnx/proto.js')).readTensor(bytes, name),
  '.npy': async (bytes, name) => (await import('../../deploy/exchange/npy.js')).readNpy(bytes, name),
};

/** Whether a file holds an array, and not an image. */
export function holdsArray(path: string): boolean {
  return extname(path).toLowerCase() in READERS;
}

/**
 * The integers that a network makes of a file: an image, or an array of real numbers or of integers of its input.
 * @throws DataError naming the file, if it cannot be read, or is no input of the network
 */
export async function readInput(graph: IntegerGraph, path: string): Promise<IntegerValue> {
  const read = READERS[extname(path).toLowerCase()];
  if (read === undefined) return fittedInput(graph, await readImage('infer', path));
  const { shape, data, type } = await read(await readBytes('infer', path), path);
  const samples = shape.length === graph.input.shape.length ? [1, ...shape] : shape;
  if (type.startsWith('float')) return quantizeInput(graph, Float32Array.from(data, Number), samples);
  const integers = Int32Array.from(data, Number);
  if (integers.some((value, i) => value !== Number(data[i]))) {
    throw new DataError('infer', `${path}: an integer of shape ${formatShape(shape)} is beyond int32`);
  }
  return { shape: samples, data: integers };
}
