import { asInstance, asList, asOptions } from '../../tensor/argument.js';
import type { IntegerGraph } from './graph.js';

/** @throws ArgumentError unless `graph` is a network in outline: what is in it `checkGraph` knows */
export function asGraph(op: string, graph: IntegerGraph): IntegerGraph {
  const { input, nodes, output, tensors } = asOptions(op, graph, 'the network');
  asOptions(op, input, 'the input of the network');
  asList(op, 'the nodes of the network', nodes);
  asOptions(op, output, 'the output of the network');
  asInstance(op, 'the tensors of the network', tensors, Map);
  return graph;
}
