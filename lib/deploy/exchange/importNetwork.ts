import { asInstance, asOptions, kindOf } from '../../tensor/argument.js';
import { ArgumentError } from '../../tensor/errors.js';
import type { IntegerGraph } from '../graph/graph.js';
import type { ImportOptions } from './onnx/importOnnx.js';

/**
 * The integer graph of a quantized network in an ONNX file that others trained, or that was exported from here. What
 * the file computes between the sums of a layer and the next quantizer is evaluated in float64 and becomes thresholds,
 * equal to it for every sum that can be reached.
 *
 * @param bytes of the file @param file its name, for errors
 * @throws DataError naming file, node and operation, if the file is damaged or holds what has no form in integers
 */
export async function importNetwork(
  bytes: Uint8Array,
  file: string,
  options: ImportOptions = {},
): Promise<IntegerGraph> {
  asInstance('importNetwork', 'bytes', bytes, Uint8Array);
  if (typeof file !== 'string') throw new ArgumentError('importNetwork', `file must be a name; got ${kindOf(file)}`);
  asOptions('importNetwork', options);
  // Loaded when it is asked for: the reader of ONNX's bytes is a package.
  const { importOnnx } = await import('./onnx/importOnnx.js');
  return importOnnx(bytes, file, options);
}
