import { type IntegerTensor, isProduct, type ProductNode, type RequantizeNode } from '../../graph/graph.js';
import { affineOf, type Fused, fusedOf } from '../affine.js';
import { type Staircase, staircaseOf } from '../staircase.js';
import type { Context } from './encode.js';

/** A layer in the form that runtimes fuse into QLinearConv: `clip(roundHalfEven(slope·(±Σ q·x + bias)))`. */
export interface FusedLayer extends Fused {
  /** `[rows]`, ±1: whose weights are turned round. */
  readonly sign: Int8Array;
}

/**
 * Layers in that form, by the names of their products.
 * @param all whether also those whose results it may move by a step
 */
export function fusedLayers(context: Context, all: boolean): ReadonlyMap<string, FusedLayer> {
  const { graph, ranges } = context;
  const layers = new Map<string, FusedLayer>();
  for (const node of graph.nodes) {
    const product = node.op === 'requantize' ? productBefore(node, context) : null;
    if (product === null) continue;
    const stairs = staircaseOf(node as RequantizeNode, graph, ranges);
    const affine = canTurn(stairs, product, graph.tensors) ? affineOf(stairs) : null;
    const fused = affine === null ? null : fusedOf(stairs, affine);
    if (fused !== null && (all || fused.exact)) layers.set(product.name, { ...fused, sign: stairs.sign });
  }
  return layers;
}

/** The product that only this node reads. */
function productBefore({ inputs: [from] }: RequantizeNode, { graph: { nodes, output } }: Context): ProductNode | null {
  const readers = nodes.filter(({ inputs }) => inputs.includes(from));
  const product = nodes.find(({ name }) => name === from);
  return product !== undefined && isProduct(product) && readers.length === 1 && output.value !== from ? product : null;
}

/** Whether the weights of falling channels have a negative: −2^(M−1) has none. */
function canTurn({ sign }: Staircase, node: ProductNode, tensors: ReadonlyMap<string, IntegerTensor>): boolean {
  const { shape, data } = tensors.get(node.weights) as IntegerTensor;
  const row = data.length / shape[0];
  return !data.some((q, i) => q === -(2 ** (node.weightBits - 1)) && sign[rowOf(sign, Math.floor(i / row))] === -1);
}

/** The row of a channel: the same for all, or one for each. */
export const rowOf = ({ length }: { readonly length: number }, channel: number) => (length === 1 ? 0 : channel);
