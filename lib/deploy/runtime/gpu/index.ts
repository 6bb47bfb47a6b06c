import type { Backend } from '../../../kernels/backend.js';
import { GPU_MODES, type GpuMode } from '../../../kernels/gpu/modes.js';
import { startBackend } from '../../../kernels/registry.js';
import { asBoolean, asChoice, asInstance, asOptions } from '../../../tensor/argument.js';
import { BackendError, QuantError } from '../../../tensor/errors.js';
import { asGraph } from '../../graph/argument.js';
import { checkGraph } from '../../graph/check.js';
import { encodeNetwork } from '../../graph/file.js';
import { type IntegerGraph, isProduct } from '../../graph/graph.js';
import { type ChannelRange, extremesOf, inferRanges } from '../../graph/ranges.js';
import { verifyNetwork } from '../../verify/verifyNetwork.js';
import { computeNode, type IntegerValue } from '../reference.js';
import type { PlannedNode, Runtime } from '../runtime.js';
import { packingFor } from './packing.js';
import { PackedProduct } from './product.js';

export interface GpuRuntimeOptions {
  /** Where gpu.js runs kernels. Nothing else stands in for it. */
  readonly mode: GpuMode;
  /** Whether several sums share one float32 where their proved range allows it. Default true. */
  readonly packed?: boolean;
  /** What was proved of the network's file; it is verified first. Default: the ranges are derived here. */
  readonly certificate?: Uint8Array;
}

/**
 * Makes a network ready to run with the sums of its layers in float32, on gpu.js: two sums of at most 12 bits in one
 * number, three of 8, exactly, because their range is proved. What has no sums the host computes. Bit for bit as
 * `runReference`.
 * @throws QuantError if a certificate does not hold, a layer does not keep the P that it claims, or its sums can be
 * beyond the 24 bits in which float32 is exact; BackendError if the mode cannot be had here
 */
export async function createGpuRuntime(graph: IntegerGraph, options: GpuRuntimeOptions): Promise<Runtime> {
  checkGraph(asGraph('createGpuRuntime', graph), 'the network');
  const { mode, packed = true, certificate } = asOptions('createGpuRuntime', options);
  asChoice('createGpuRuntime', 'mode', mode, GPU_MODES);
  asBoolean('createGpuRuntime', 'packed', packed);
  if (certificate !== undefined) {
    asInstance('createGpuRuntime', 'certificate', certificate, Uint8Array);
    const [problem] = await verifyNetwork(encodeNetwork(graph), certificate);
    if (problem !== undefined) throw new QuantError('createGpuRuntime', `the certificate does not hold: ${problem}`);
  }
  const packings = provedPackings(graph, packed);
  const backend = await startBackend(`gpu:${mode}`);
  return new GpuRuntime(graph, backend, packings);
}

/** How each layer's sums are packed, by what is proved of them. @throws QuantError if a claim is false */
function provedPackings(graph: IntegerGraph, packed: boolean) {
  const ranges = inferRanges(graph);
  return graph.nodes.filter(isProduct).map((node) => {
    const range = extremesOf(ranges.get(node.name) as ChannelRange);
    const { accumulatorBits: bits } = node;
    if (bits !== null && (range.low < -(2 ** (bits - 1)) || range.high >= 2 ** (bits - 1))) {
      throw new QuantError(
        'createGpuRuntime',
        `${node.name} claims ${bits} bits; its sums can be ${range.low} … ${range.high}`,
      );
    }
    const packing = packingFor(range, packed ? undefined : 1);
    if (packing !== null) return { node, packing };
    throw new QuantError(
      'createGpuRuntime',
      `the sums of ${node.name} can be ${range.low} … ${range.high}, beyond 2^24: float32 does not hold them exactly`,
    );
  });
}

class GpuRuntime implements Runtime {
  readonly name: string;
  readonly plan: readonly PlannedNode[];
  readonly #products: ReadonlyMap<string, PackedProduct>;

  constructor(
    readonly graph: IntegerGraph,
    backend: Backend,
    packings: ReturnType<typeof provedPackings>,
  ) {
    this.name = backend.name;
    this.#products = new Map(
      packings.map(({ node, packing }) => [node.name, new PackedProduct(backend, graph, node, packing)]),
    );
    this.plan = graph.nodes.map(({ name }) => {
      const product = this.#products.get(name);
      const kernel = product ? `${backend.name}, ${product.count === 1 ? 'one sum' : `${product.count} sums`}` : 'host';
      return { node: name, kernel: product ? `${kernel} a float32` : kernel, threads: 1 };
    });
  }

  async run(x: IntegerValue): Promise<IntegerValue> {
    const { input, nodes, output, tensors } = this.graph;
    const uses = new Map([[output.value, 1]]);
    for (const name of nodes.flatMap(({ inputs }) => inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
    const values = new Map([[input.name, x]]);
    const take = (name: string): IntegerValue => {
      const value = values.get(name);
      if (value === undefined) throw new BackendError(this.name, `${name} was freed before it was read`);
      const left = (uses.get(name) ?? 0) - 1;
      uses.set(name, left);
      if (left === 0) values.delete(name);
      return value;
    };
    for (const node of nodes) {
      const inputs = node.inputs.map(take);
      const product = this.#products.get(node.name);
      values.set(node.name, product ? await product.run(inputs[0]) : computeNode(node, inputs, tensors));
    }
    return take(output.value);
  }

  dispose(): void {
    for (const product of this.#products.values()) product.dispose();
  }
}
