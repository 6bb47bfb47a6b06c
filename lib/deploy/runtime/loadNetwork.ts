import { asString, kindOf } from '../../tensor/argument.js';
import { ArgumentError } from '../../tensor/errors.js';
import { decodeNetwork } from '../graph/file.js';
import type { IntegerGraph } from '../graph/graph.js';

/**
 * The network of a file that `a2q deploy` wrote.
 * @param bytes the whole file, as `fetch` or `readFile` gives it
 * @param name of the file, for errors
 * @throws DataError naming the file, if it is damaged, holds no network, or one of another version
 */
export function loadNetwork(bytes: Uint8Array | ArrayBuffer, name = 'the file'): IntegerGraph {
  asString('loadNetwork', 'name', name);
  if (bytes instanceof Uint8Array) return decodeNetwork(bytes, name);
  if (bytes instanceof ArrayBuffer) return decodeNetwork(new Uint8Array(bytes), name);
  throw new ArgumentError('loadNetwork', `bytes must be a Uint8Array or an ArrayBuffer; got ${kindOf(bytes)}`);
}
