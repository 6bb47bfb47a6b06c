import { DataError } from '../../tensor/errors.js';
import { asGraph } from './argument.js';
import type { IntegerGraph } from './graph.js';

/**
 * The network that ends at one of its values: how engines that keep nothing on the way are asked for what is there.
 * @throws DataError if no node makes it
 */
export function endingAt(graph: IntegerGraph, value: string): IntegerGraph {
  const wanted = new Set([value]);
  const nodes = asGraph('endingAt', graph)
    .nodes.toReversed()
    .filter(({ name, inputs }) => {
      if (wanted.has(name)) for (const input of inputs) wanted.add(input);
      return wanted.has(name);
    });
  if (!nodes.some(({ name }) => name === value)) throw new DataError('endingAt', `no node makes ${String(value)}`);
  const named = new Set(nodes.flatMap((node) => Object.values(node)));
  const tensors = new Map([...graph.tensors].filter(([key]) => named.has(key)));
  return { ...graph, nodes: nodes.toReversed(), tensors, output: { value, decode: [] }, task: null };
}
