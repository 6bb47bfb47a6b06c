import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { CHANNELS, NINE_BYTES } from './assembly/blocking.js';
import type { Job, Machine } from './machine.js';
import { RATE } from './plan.js';

/**
 * Depthwise 3 × 3 convolutions that have kernels of their own (assembly/planes.ts): `narrow` ones of stride 1 on planes
 * at most four pixels wide, `halving` ones of stride 2 on planes of even extents; and `rows`, stride 1 on rows of whole
 * vectors, whose weight gradient has one.
 */
export type PlaneKind = 'narrow' | 'halving' | 'rows';

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
function overPlanes(machine: Machine, kernel: PlaneKernel, shape: Shape, addresses: PlaneAddresses): void {
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
}

/** `conv2d` of such a kind. */
export function planeForward(machine: Machine, kind: Exclude<PlaneKind, 'rows'>, x: View, w: View, out: View): void {
  const kernel = kind === 'narrow' ? 'depthwiseNarrow' : 'depthwiseHalving';
  machine.dense([x, w], (from, weights) => overPlanes(machine, kernel, x.shape, { x: from, w: weights, out }));
}

/** Its gradient to the images. */
export function planeInputGradient(
  machine: Machine,
  kind: Exclude<PlaneKind, 'rows'>,
  g: View,
  w: View,
  out: View,
): void {
  const kernel = kind === 'narrow' ? 'depthwiseNarrow' : 'depthwiseDoubling';
  const flipped = kind === 'narrow';
  machine.dense([g, w], (from, weights) =>
    overPlanes(machine, kernel, out.shape, { x: from, w: weights, out, flipped }),
  );
}

const WEIGHT_GRADIENTS = {
  narrow: 'depthwiseNarrowGradient',
  halving: 'depthwiseHalvingGradient',
  rows: 'depthwiseRowsGradient',
} as const;

/** Its gradient to the weights. */
export function planeWeightGradient(machine: Machine, kind: PlaneKind, g: View, x: View, out: View): void {
  const kernel = WEIGHT_GRADIENTS[kind];
  machine.dense([g, x], (gradient, from) => overPlanes(machine, kernel, x.shape, { x: from, g: gradient, out }));
}
