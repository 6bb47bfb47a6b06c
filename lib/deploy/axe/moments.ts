import { matmul, transpose } from '../../autograd/ops.js';
import { noGrad } from '../../autograd/tape.js';
import { windowExtents } from '../../kernels/geometry.js';
import { QuantConv2d, type QuantLayer, QuantResizeConv2d } from '../../quant/layers.js';
import { tensor } from '../../tensor/create.js';
import type { Random } from '../../tensor/random.js';
import { dispose, scope, type TypedArray } from '../../tensor/storage.js';
import type { Moments } from './rounding.js';

/** Inputs of a layer in host memory, `[N, …]`. */
export interface HostInputs {
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** Outputs of one image whose inputs are looked at; neighbours see nearly the same. */
const POSITIONS = 64;

/** Adds up the second moments of the inputs of a layer: one pair of matrices for each group of its channels. */
export class MomentSums {
  readonly #layer: QuantLayer;
  readonly #groups: readonly Moments[];

  constructor(layer: QuantLayer) {
    const length = layer.dotLength;
    this.#layer = layer;
    this.#groups = Array.from({ length: groupsOf(layer) }, () => ({
      quantized: new Float64Array(length * length),
      cross: new Float64Array(length * length),
    }));
  }

  get groups(): readonly Moments[] {
    return this.#groups;
  }

  /** @param random chooses the outputs that are looked at, the same for both */
  async add(quantized: HostInputs, floats: HostInputs, random: Random): Promise<void> {
    const places = placesOf(this.#layer, quantized.shape, random);
    for (const [group, sums] of this.#groups.entries()) {
      const read = (x: HostInputs) => terms(this.#layer, x, group, places);
      const made = scope(() =>
        noGrad(() => {
          const shape = [places.length / 3, this.#layer.dotLength];
          const x = tensor(read(quantized), shape);
          const across = transpose(x);
          return { own: matmul(across, x), cross: matmul(across, tensor(read(floats), shape)) };
        }),
      );
      addTo(sums.quantized, await made.own.data());
      addTo(sums.cross, await made.cross.data());
      dispose(made);
    }
  }
}

/** Groups of input channels; 1 for linear layers. */
export function groupsOf(layer: QuantLayer): number {
  return layer instanceof QuantConv2d ? layer.geometry.groups : 1;
}

function addTo(sums: Float64Array, more: ArrayLike<number>): void {
  for (let i = 0; i < sums.length; i++) sums[i] += more[i];
}

/** Image, row and column of outputs, one after the other. */
function placesOf(layer: QuantLayer, shape: readonly number[], random: Random): Int32Array {
  const images = shape[0];
  if (!isConvolution(layer)) return Int32Array.from({ length: 3 * images }, (_, i) => (i % 3 === 0 ? i / 3 : 0));
  const { factor, window } = windowOf(layer);
  const [rows, columns] = windowExtents(window, shape[2] * factor, shape[3] * factor);
  const each = Math.min(POSITIONS, rows * columns);
  const places = new Int32Array(3 * images * each);
  for (let i = 0; i < images * each; i++) {
    const place = each < POSITIONS ? i % each : Math.floor(random.uniform(0, rows * columns));
    places.set([Math.floor(i / each), Math.floor(place / columns), place % columns], 3 * i);
  }
  return places;
}

function isConvolution(layer: QuantLayer): layer is QuantConv2d | QuantResizeConv2d {
  return layer instanceof QuantConv2d || layer instanceof QuantResizeConv2d;
}

function windowOf(layer: QuantConv2d | QuantResizeConv2d) {
  const [, , height, width] = layer.weight.shape;
  const factor = layer instanceof QuantResizeConv2d ? layer.factor : 1;
  return { factor, window: { ...layer.geometry, kernel: [height, width] as const } };
}

/** The terms that the outputs at some places sum, in the order of the weights: `[places, K]`. */
function terms(layer: QuantLayer, { shape, data }: HostInputs, group: number, places: Int32Array): Float32Array {
  const length = layer.dotLength;
  const count = places.length / 3;
  const out = new Float32Array(count * length);
  if (!isConvolution(layer)) {
    out.set(data);
    return out;
  }
  const { factor, window } = windowOf(layer);
  const { kernel, stride, padding, dilation } = window;
  const [, channels, height, width] = shape;
  const perGroup = length / (kernel[0] * kernel[1]);
  for (let i = 0, at = 0; i < count; i++) {
    const [image, row, column] = places.subarray(3 * i, 3 * i + 3);
    for (let c = 0; c < perGroup; c++) {
      const plane = (image * channels + group * perGroup + c) * height * width;
      for (let m = 0; m < kernel[0]; m++) {
        const y = row * stride[0] - padding[0] + m * dilation[0];
        for (let n = 0; n < kernel[1]; n++, at++) {
          const x = column * stride[1] - padding[1] + n * dilation[1];
          if (y < 0 || x < 0 || y >= height * factor || x >= width * factor) continue;
          out[at] = data[plane + Math.floor(y / factor) * width + Math.floor(x / factor)];
        }
      }
    }
  }
  return out;
}
