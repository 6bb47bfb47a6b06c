import type { Backend } from '../../../kernels/backend.js';
import type { ConvGeometry } from '../../../kernels/geometry.js';
import { BackendError } from '../../../tensor/errors.js';
import { sizeOf } from '../../../tensor/shape.js';
import { Storage } from '../../../tensor/storage.js';
import { contiguousView, type View } from '../../../tensor/view.js';
import type { IntegerGraph, IntegerTensor, ProductNode } from '../../graph/graph.js';
import { shapeOf } from '../../graph/shapes.js';
import { type IntegerValue, repeatPixels } from '../reference.js';
import { type Dealt, dealt, type Packing, packWeights, unpackSums } from './packing.js';

const PLAIN: ConvGeometry = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };

/** A layer's sums as one convolution in float32, of weights that stay on the device; `[N, K]` is an image of 1 × 1. */
export class PackedProduct {
  /** Sums in one number. */
  readonly count: number;
  readonly #backend: Backend;
  readonly #graph: IntegerGraph;
  readonly #node: ProductNode;
  readonly #packing: Packing;
  readonly #deal: Dealt;
  readonly #geometry: ConvGeometry;
  readonly #weights: View;

  constructor(backend: Backend, graph: IntegerGraph, node: ProductNode, packing: Packing) {
    const weights = graph.tensors.get(node.weights) as IntegerTensor;
    this.#geometry = node.op === 'conv' ? node : PLAIN;
    const { groups } = this.#geometry;
    const [outputs, perGroup, ...kernel] = weights.shape;
    const most = Math.min(packing.count, outputs / groups);
    this.#packing = { ...packing, count: most };
    this.#deal = dealt(outputs, groups, most);
    this.count = most;
    this.#backend = backend;
    this.#graph = graph;
    this.#node = node;
    const packed = packWeights(weights, this.#packing, this.#deal);
    const shape = [groups * this.#deal.perGroup, perGroup, kernel[0] ?? 1, kernel[1] ?? 1];
    this.#weights = uploaded(backend, packed, shape);
  }

  async run(x: IntegerValue): Promise<IntegerValue> {
    const node = this.#node;
    const shape = shapeOf(node, [x.shape], this.#graph.tensors);
    const image = node.op === 'conv' ? repeatPixels(x, node.resize) : x;
    const [images, channels, height = 1, width = 1] = image.shape;
    const view = uploaded(this.#backend, new Float32Array(image.data), [images, channels, height, width]);
    try {
      const { stride, padding, dilation, groups } = this.#geometry;
      const geometry = { stride, padding, dilation, groups };
      const sums = this.#backend.fast?.conv2d?.value?.([view, this.#weights], geometry);
      if (!sums || !('storage' in sums)) throw new BackendError(this.#backend.name, `cannot compute ${node.name}`);
      const { storage } = sums;
      try {
        const numbers = await storage.device.read(storage.handle, sizeOf(sums.shape), 'float32');
        return unpackSums(numbers as Float32Array, shape, this.#packing, this.#deal);
      } finally {
        storage.dispose();
      }
    } finally {
      view.storage.dispose();
    }
  }

  dispose(): void {
    this.#weights.storage.dispose();
  }
}

function uploaded(backend: Backend, data: Float32Array, shape: readonly number[]): View {
  return contiguousView(Storage.alloc(backend, sizeOf(shape), 'float32', data), shape);
}
