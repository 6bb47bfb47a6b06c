import { largest } from '../../tensor/extremes.js';
import type { ConvGeometry } from '../geometry.js';
import { cacheLines, type PlanOf } from './machine.js';
import type { Operand } from './operand.js';

/** Bytes a vector may reach past the last pixel of a plane. */
const OVERREACH = 32;
/** Estimated multiply-adds a nanosecond. */
export const RATE = 17;

/** A convolution plan while it is put together; `Plan` in assembly/window.ts says what each field is. */
export type Plan = { -readonly [K in keyof PlanOf<'Plan'>]: number };

/** A tensor `[N, C, H, W]` as convolution walks it: address, byte strides and extents, channels split into groups. */
export interface ImageTensor {
  readonly address: number;
  readonly images: number;
  readonly groups: number;
  /** Channels of a group. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Byte strides of image, channel, row and column. */
  readonly strides: readonly [number, number, number, number];
}

/** Its channels split into groups. */
export function imageTensor({ address, shape, strides }: Operand, groups: number): ImageTensor {
  const [images, channels, height, width] = shape;
  const [n, c, h, w] = strides.map((stride) => stride * 4);
  return {
    address,
    images,
    groups,
    channels: channels / groups,
    height,
    width,
    strides: [n, c, h, w],
  };
}

/** Where the taps of a window lie: row and column distance from the window's corner, and byte offset in a filter. */
export interface Tap {
  readonly row: number;
  readonly column: number;
  readonly weight: number;
}

/** Rows, columns and filter offsets of all taps of a kernel. */
function kernelTaps(w: Pick<Operand, 'shape' | 'strides'>, geometry: ConvGeometry): Tap[] {
  const taps: Tap[] = [];
  for (let r = 0; r < w.shape[2]; r++) {
    for (let s = 0; s < w.shape[3]; s++) {
      taps.push({
        row: r * geometry.dilation[0],
        column: s * geometry.dilation[1],
        weight: (r * w.strides[2] + s * w.strides[3]) * 4,
      });
    }
  }
  return taps;
}

/** What a window slides over and how. */
export interface Sliding {
  readonly source: ImageTensor;
  readonly out: ImageTensor;
  readonly taps: readonly Tap[];
  /** Zero rows and columns before the source, negative to crop. */
  readonly top: number;
  readonly left: number;
  /** Rows and columns the window moves by. */
  readonly rowStep: number;
  readonly step: number;
  /** Address of the scales of pairs of integers; 0 where source and weights are floats. */
  readonly scales?: number;
}

/** The window `conv2d` slides over x, whose results are those of `out`. */
export function forwardWindow(
  x: Operand,
  w: Pick<Operand, 'shape' | 'strides'>,
  out: Operand,
  geometry: ConvGeometry,
  scales = 0,
): Sliding {
  const { groups, padding, stride } = geometry;
  const [source, target] = [imageTensor(x, groups), imageTensor(out, groups)];
  const [[top, left], [rowStep, step]] = [padding, stride];
  return { source, out: target, taps: kernelTaps(w, geometry), top, left, rowStep, step, scales };
}

/** A plan without buffers, and the byte offset of each tap in a padded plane. */
export function layOut(sliding: Sliding, bands = 1): { plan: Plan; tapOffsets: number[] } {
  const { source, out, taps, step, rowStep } = sliding;
  const span = largest(taps.map((tap) => tap.row)) + 1;
  const reach = largest(taps.map((tap) => Math.floor(tap.column / step)));
  const phaseWidth = out.width + reach;
  const rowBytes = step * phaseWidth * 4;
  const rows = (Math.ceil(out.height / bands) - 1) * rowStep + span;
  const planeBytes = spread(cacheLines(rows * rowBytes + OVERREACH));
  const plan: Plan = {
    source: source.address,
    sourceImage: source.strides[0],
    sourceGroup: source.strides[1] * source.channels,
    sourceChannel: source.strides[1],
    sourceRow: source.strides[2],
    sourceColumn: source.strides[3],
    channels: source.channels,
    height: source.height,
    width: source.width,
    top: sliding.top,
    left: sliding.left,
    step,
    rowStep,
    span,
    phaseWidth,
    planeBytes,
    channelBytes: planeBytes,
    taps: taps.length,
    tapOffsets: 0,
    offsets: 0,
    scales: sliding.scales ?? 0,
    weights: 0,
    weightGroup: 0,
    rows: out.channels,
    out: out.address,
    outImage: out.strides[0],
    outGroup: out.strides[1] * out.channels,
    outChannel: out.strides[1],
    outRow: out.strides[2],
    outColumn: out.strides[3],
    outHeight: out.height,
    outWidth: out.width,
    images: source.images,
    groups: source.groups,
    bands,
    block: 1,
    gathered: 0,
  };
  const tapOffsets = taps.map(
    ({ row, column }) => row * rowBytes + ((column % step) * phaseWidth + Math.floor(column / step)) * 4,
  );
  return { plan, tapOffsets };
}

/** True for a 3 × 3 window whose taps are adjacent in memory, in order, and whose outputs are too. */
export function isAdjacent3x3(plan: Plan, tapOffsets: readonly number[]): boolean {
  const rowBytes = plan.phaseWidth * 4;
  const isRegular = tapOffsets.every((offset, tap) => offset === Math.floor(tap / 3) * rowBytes + (tap % 3) * 4);
  return plan.step === 1 && plan.outColumn === 4 && tapOffsets.length === 9 && isRegular;
}

/** Lays the padded planes of `block` images side by side, channel by channel. */
export function stackImages(plan: Plan, block: number): void {
  plan.block = Math.max(1, Math.min(block, plan.images));
  plan.channelBytes = spread(plan.block * plan.planeBytes);
}

/** An odd number of cache lines, so that equal places of many planes do not compete for one set of the cache. */
export function spread(bytes: number): number {
  return (bytes / 64) % 2 === 0 ? bytes + 64 : bytes;
}
