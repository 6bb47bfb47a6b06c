import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { ConvGeometry } from '../geometry.js';
import { CHANNELS, NINE_BYTES } from './assembly/blocking.js';
import type { Job, Machine } from './machine.js';
import { RATE } from './plan.js';

/**
 * Depthwise 3 × 3 convolutions that have kernels of their own (assembly/planes.ts): `narrow` ones of stride 1 on planes at
 * most four pixels wide, `halving` ones of stride 2 on planes of even extents; and `rows`, stride 1 on rows of whole vectors,
 * whose weight gradient has one.
 */
export type PlaneKind = 'narrow' | 'halving' | 'rows';

/** Which of them a convolution of images `x [N, C, H, W]` with `w` is, or null. */
export function planeKind(x: Shape, w: Shape, geometry: ConvGeometry): PlaneKind | null {
  const { stride, padding, dilation, groups } = geometry;
  const isDepthwise = groups === x[1] && w[0] === x[1] && w[1] === 1;
  const isPlain = w[2] === 3 && w[3] === 3 && [...padding, ...dilation].every((each) => each === 1);
  if (!isDepthwise || !isPlain || x[0] * x[1] * x[2] * x[3] === 0) return null;
  if (stride[0] === 1 && stride[1] === 1) return x[3] <= 4 ? 'narrow' : x[3] % 4 === 0 ? 'rows' : null;
  return stride[0] === 2 && stride[1] === 2 && x[2] % 2 === 0 && x[3] % 2 === 0 ? 'halving' : null;
}

/** Addresses the kernels work on; 0 for what they have no use for. */
interface PlaneAddresses {
  readonly x: number;
  readonly g?: number;
  readonly w?: number;
  readonly out: View;
  readonly flipped?: boolean;
}

type PlaneKernel =
  | 'depthwiseNarrow'
  | 'depthwiseNarrowGradient'
  | 'depthwiseHalving'
  | 'depthwiseHalvingGradient'
  | 'depthwiseDoubling'
  | 'depthwiseRowsGradient';

/** Runs a kernel; the description is `Planes` in assembly/planes.ts, `shape` that of the larger images. */
function overPlanes(machine: Machine, kernel: PlaneKernel, shape: Shape, addresses: PlaneAddresses): View {
  const [images, channels, height, width] = shape;
  const { x, g = 0, w = 0, out, flipped = false } = addresses;
  const cost = (height * width * 9) / (RATE / 2);
  const job: Job = {
    ...(g === 0
      ? { units: images * channels, cost }
      : { units: Math.ceil(channels / CHANNELS), cost: cost * images * CHANNELS }),
    pieces: 4,
    scratch: () => width * 4 + 32 + (g === 0 ? 0 : CHANNELS * NINE_BYTES),
  };
  const plan = { x, g, w, out: machine.address(out), images, channels, height, width, flipped: flipped ? 1 : 0 };
  machine.run(kernel, job, machine.plan('Planes', plan));
  return out;
}

/** `conv2d` of a kind `planeKind` has found. */
export function planeForward(machine: Machine, kind: Exclude<PlaneKind, 'rows'>, x: View, w: View): View {
  const [images, channels, height, width] = x.shape;
  const out = machine.output(kind === 'narrow' ? x.shape : [images, channels, height / 2, width / 2]);
  const kernel = kind === 'narrow' ? 'depthwiseNarrow' : 'depthwiseHalving';
  return machine.dense([x, w], (from, weights) => overPlanes(machine, kernel, x.shape, { x: from, w: weights, out }));
}

/** Its gradient to images of `inputShape`. */
export function planeInputGradient(
  machine: Machine,
  kind: Exclude<PlaneKind, 'rows'>,
  g: View,
  w: View,
  inputShape: Shape,
): View {
  const out = machine.output(inputShape);
  const kernel = kind === 'narrow' ? 'depthwiseNarrow' : 'depthwiseDoubling';
  const flipped = kind === 'narrow';
  return machine.dense([g, w], (from, weights) =>
    overPlanes(machine, kernel, inputShape, { x: from, w: weights, out, flipped }),
  );
}

const WEIGHT_GRADIENTS = {
  narrow: 'depthwiseNarrowGradient',
  halving: 'depthwiseHalvingGradient',
  rows: 'depthwiseRowsGradient',
} as const;

/** Its gradient to the weights. */
export function planeWeightGradient(machine: Machine, kind: PlaneKind, g: View, x: View, weightShape: Shape): View {
  const out = machine.output(weightShape);
  const kernel = WEIGHT_GRADIENTS[kind];
  return machine.dense([g, x], (gradient, from) => overPlanes(machine, kernel, x.shape, { x: from, g: gradient, out }));
}
