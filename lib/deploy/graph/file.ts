import { DataError } from '../../tensor/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../tensor/safetensors.js';
import { asGraph } from './argument.js';
import { checkGraph } from './check.js';
import { type IntegerGraph, integerTensor } from './graph.js';
import { told } from './members.js';

/** How a file says what it is: a key of its metadata, and the version of the JSON in it. */
export const NETWORK_KEY = 'a2q.network';
export const NETWORK_VERSION = 1;

/**
 * A network as one safetensors file: integers as int8, int16 or int32, the graph as JSON under `a2q.network` in its
 * metadata. Equal networks give equal bytes.
 * @throws DataError if the graph is none
 */
export function encodeNetwork(graph: IntegerGraph): Uint8Array {
  checkGraph(asGraph('encodeNetwork', graph), graph.name);
  const { tensors, ...rest } = graph;
  const stored = [...tensors].map(([name, { shape, data }]) => {
    return [name, { shape, data: Int32Array.from(data), smallest: true }] as const;
  });
  const metadata = { [NETWORK_KEY]: JSON.stringify({ version: NETWORK_VERSION, ...rest }) };
  return encodeSafetensors({ tensors: new Map(stored), metadata });
}

/**
 * The network of a file.
 * @param name of the file, for errors
 * @throws DataError naming the file, if it is damaged, holds no network, or one of another version
 */
export function decodeNetwork(bytes: Uint8Array, name: string): IntegerGraph {
  const { tensors, metadata } = decodeSafetensors(bytes, name);
  const text = metadata[NETWORK_KEY];
  const fail = (problem: string): never => {
    throw new DataError('network', `${name}: ${problem}`);
  };
  if (text === undefined) return fail(`holds no integer network (no ${NETWORK_KEY} in its metadata)`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail(`its ${NETWORK_KEY} is not JSON`);
  }
  if (typeof value !== 'object' || value === null) return fail(`its ${NETWORK_KEY} is no object`);
  const { version, ...graph } = value as { readonly version: unknown } & IntegerGraph;
  if (version !== NETWORK_VERSION) {
    return fail(`is of version ${told(version)}; this program reads ${NETWORK_VERSION}`);
  }
  const odd = [...tensors].find(([, { data }]) => !(data instanceof Int32Array));
  if (odd) return fail(`the tensor ${odd[0].slice(0, 80)} does not hold integers`);
  const held = [...tensors].map(([key, { shape, data }]) => [key, integerTensor(shape, data)] as const);
  const { task = null, notes = [] } = graph;
  const network = { ...graph, task, notes, tensors: new Map(held) };
  checkGraph(network, name);
  return network;
}
