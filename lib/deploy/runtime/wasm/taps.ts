import type { ConvNode, MaxPoolNode, SumPoolNode } from '../../graph/graph.js';

/** One tap of a window: which phase of the image it reads, and how far from the result's pixel. */
export interface Tap {
  readonly phase: number;
  readonly down: number;
  readonly across: number;
}

/** Every `stride`-th row and column of an image, from `top` and `left` on. */
export interface Phase {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** A window with stride 1 over the phases of an image, on the grid of its results. */
export interface TapWindow {
  readonly stride: readonly [number, number];
  readonly phases: readonly Phase[];
  /** In row-major order of the kernel. */
  readonly taps: readonly Tap[];
}

type Windowed = Pick<ConvNode | MaxPoolNode | SumPoolNode, 'stride' | 'padding' | 'dilation'>;

/**
 * A strided window reads each of stride² phases of the image with stride 1: taps a stride apart read one phase. So
 * every window becomes one whose shifts are the same for all pixels.
 */
export function tapWindow(
  { stride, padding, dilation }: Windowed,
  [kh, kw]: readonly [number, number],
  height: number,
  width: number,
): TapWindow {
  const phases: Phase[] = [];
  const taps: Tap[] = [];
  for (let tap = 0; tap < kh * kw; tap++) {
    const row = Math.floor(tap / kw) * dilation[0] - padding[0];
    const column = (tap % kw) * dilation[1] - padding[1];
    const [down, across] = [Math.floor(row / stride[0]), Math.floor(column / stride[1])];
    const [top, left] = [row - down * stride[0], column - across * stride[1]];
    let phase = phases.findIndex((other) => other.top === top && other.left === left);
    if (phase < 0) {
      const extents = {
        height: Math.max(0, Math.ceil((height - top) / stride[0])),
        width: Math.max(0, Math.ceil((width - left) / stride[1])),
      };
      phase = phases.push({ top, left, ...extents }) - 1;
    }
    taps.push({ phase, down, across });
  }
  return { stride, phases, taps };
}

/** Weights `[outputs][channels of a group][taps]` of a convolution on some grid. */
export interface TapWeights {
  readonly outputs: number;
  readonly perGroup: number;
  readonly groups: number;
  readonly window: TapWindow;
  readonly weights: Int32Array;
}

/** A convolution's weights as they are. */
export function plainWeights(
  node: ConvNode,
  shape: readonly number[],
  data: ArrayLike<number>,
  size: Extents,
): TapWeights {
  const [outputs, perGroup, kh, kw] = shape;
  const window = tapWindow(node, [kh, kw], size.height, size.width);
  return { outputs, perGroup, groups: node.groups, window, weights: Int32Array.from(data) };
}

interface Extents {
  readonly height: number;
  readonly width: number;
}

/**
 * A convolution (stride 1) of an image whose pixels are repeated r × r times, as one of the image itself: each of r²
 * phases of the result reads several times the same pixel, so its weights add up. Outputs `[O · r²]`, as pixel shuffle
 * wants them.
 */
export function foldedWeights(
  node: ConvNode,
  shape: readonly number[],
  data: ArrayLike<number>,
  size: Extents,
): TapWeights {
  const [outputs, perGroup, kh, kw] = shape;
  const { resize: r, padding, dilation, groups } = node;
  const first = padding.map((pad) => Math.floor(-pad / r));
  const extents = [kh, kw].map(
    (k, axis) => Math.floor((r - 1 + (k - 1) * dilation[axis] - padding[axis]) / r) - first[axis] + 1,
  );
  const [rows, columns] = extents;
  const weights = new Int32Array(outputs * r * r * perGroup * rows * columns);
  const place = (phase: number, k: number, axis: 0 | 1) =>
    Math.floor((phase + k * dilation[axis] - padding[axis]) / r) - first[axis];
  for (let o = 0; o < outputs; o++) {
    for (let phase = 0; phase < r * r; phase++) {
      for (let c = 0; c < perGroup; c++) {
        for (let tap = 0; tap < kh * kw; tap++) {
          const y = place(Math.floor(phase / r), Math.floor(tap / kw), 0);
          const x = place(phase % r, tap % kw, 1);
          const to = ((o * r * r + phase) * perGroup + c) * rows * columns + y * columns + x;
          weights[to] += data[(o * perGroup + c) * kh * kw + tap];
        }
      }
    }
  }
  const unit = { stride: [1, 1], dilation: [1, 1], padding: [-first[0], -first[1]] } as const;
  const window = tapWindow(unit, [rows, columns], size.height, size.width);
  return { outputs: outputs * r * r, perGroup, groups, window, weights };
}
