import { isRecord, type Json, parse, Refused, readIntegers, readTensorBytes } from './checkpoint.js';

/** What a verifier reads of a network of integers. */
export interface NetworkFacts {
  readonly name: string;
  readonly input: Json;
  /** In their order. */
  readonly nodes: readonly Json[];
  /** Integers by name. @throws Refused unless the file holds them, along so many axes */
  readonly tensor: (name: string, axes: number) => { readonly shape: readonly number[]; readonly q: Int32Array };
}

/** The version of networks that is known here. */
const NETWORK_VERSION = 1;

/** @throws Refused unless the bytes are a network's, its description written as programs write JSON */
export function readNetwork(bytes: Uint8Array): NetworkFacts {
  const { header, metadata, data } = readTensorBytes(bytes, 'the network');
  const text = metadata['a2q.network'];
  if (typeof text !== 'string') throw new Refused('the file holds no network of integers');
  const graph = parse(text, 'the description of the network');
  if (!isPlain(graph, text)) throw new Refused('the description of the network is not plain JSON, or ambiguous');
  const { version, name, input, nodes } = graph;
  if (version !== NETWORK_VERSION) throw new Refused(`the network is not of version ${NETWORK_VERSION}`);
  if (typeof name !== 'string' || !isRecord(input) || !Array.isArray(nodes) || !nodes.every(isRecord)) {
    throw new Refused('the network has no name, input or nodes');
  }
  const known = new Map<string, ReturnType<typeof readIntegers>>();
  const tensor = (of: string, axes: number) => {
    const found = known.get(of) ?? readIntegers(of, Object.hasOwn(header, of) ? header[of] : undefined, data);
    known.set(of, found);
    if (found.shape.length !== axes || found.shape[0] < 1) throw new Refused(`the shape of ${of} has not ${axes} axes`);
    return found;
  };
  return { name, input, nodes, tensor };
}

/** Whether a text is what JSON.stringify makes of its value: no name stands twice in it, and it is not too deep. */
function isPlain(value: unknown, text: string): boolean {
  try {
    return JSON.stringify(value) === text;
  } catch {
    return false;
  }
}

/** A member that is a string. @throws Refused */
export function textOf(node: Json, member: string): string {
  const value = node[member];
  if (typeof value === 'string' && value.length > 0) return value;
  throw new Refused(`a node has no ${member}`);
}

/** A member that is an integer of `low … high`. @throws Refused */
export function integerOf(node: Json, member: string, low: number, high: number): number {
  const value = node[member];
  if (Number.isInteger(value) && Number(value) >= low && Number(value) <= high) return Number(value);
  throw new Refused(`${textOf(node, 'name')}: its ${member} is no integer of ${low} … ${high}`);
}

/** A member that is a list of integers of `low … high`. @throws Refused */
export function integersOf(node: Json, member: string, low: number, high: number): number[] {
  const value = node[member];
  const isInteger = (each: unknown) => Number.isInteger(each) && Number(each) >= low && Number(each) <= high;
  if (Array.isArray(value) && value.every(isInteger)) return value;
  throw new Refused(`${textOf(node, 'name')}: its ${member} is no list of integers of ${low} … ${high}`);
}

/** The values that a node reads. @throws Refused */
export function readBy(node: Json): string[] {
  const { inputs } = node;
  if (Array.isArray(inputs) && inputs.length > 0 && inputs.every((each) => typeof each === 'string')) return inputs;
  throw new Refused(`${textOf(node, 'name')}: it reads nothing`);
}
