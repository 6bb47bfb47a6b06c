import type { View } from '../../tensor/view.js';
import type { ConvGeometry } from '../geometry.js';
import type { Machine } from './machine.js';
import type { Operand } from './operand.js';
import { forwardWindow, type ImageTensor, imageTensor } from './plan.js';
import { slide } from './slide.js';

/**
 * `conv2d` by a sliding window; where operands are pairs of integers, `scales` is the address of each output channel's.
 */
export function slideForward(machine: Machine, x: Operand, w: Operand, geometry: ConvGeometry, out: View, scales = 0) {
  const [outer, inner] = w.strides;
  const filters = {
    address: w.address,
    group: (w.shape[0] / geometry.groups) * outer * 4,
    row: outer * 4,
    channel: inner * 4,
  };
  slide(machine, forwardWindow(x, w, machine.operand(out), geometry, scales), filters);
}

/** One stride phase along an axis: which pixels it covers and how far back each tap looks in the output gradient. */
interface Phase {
  readonly first: number;
  readonly count: number;
  readonly before: number;
  readonly taps: readonly { readonly index: number; readonly distance: number }[];
}

/**
 * Pixel i receives g[(i + padding − r·dilation)/stride] for the taps r that divide evenly. Pixels of one remainder form
 * a phase: a stride-1 window over g whose taps are flipped.
 */
function phases(size: number, kernel: number, geometry: ConvGeometry, axis: 0 | 1): Phase[] {
  const stride = geometry.stride[axis];
  const padding = geometry.padding[axis];
  return Array.from({ length: stride }, (_, remainder) => {
    const looks = Array.from({ length: kernel }, (_, r) => ({ index: r, at: r * geometry.dilation[axis] }))
      .filter(({ at }) => at % stride === remainder)
      .map(({ index, at }) => ({ index, back: (at - remainder) / stride }));
    const reach = Math.max(0, ...looks.map(({ back }) => back));
    const position = Math.max(0, Math.ceil((padding - remainder) / stride));
    const first = stride * position + remainder - padding;
    return {
      first,
      count: Math.max(0, Math.ceil((size - first) / stride)),
      before: reach - position,
      taps: looks.map(({ index, back }) => ({ index, distance: reach - back })),
    };
  });
}

/** Gradient of `conv2d` to its images, written to `out`: a sliding product for each stride phase of both axes. */
export function slideBackward(machine: Machine, g: View, w: View, geometry: ConvGeometry, out: View): void {
  const { groups } = geometry;
  const source = imageTensor(machine.operand(g), groups);
  const target = imageTensor(machine.operand(out), groups);
  const filters = {
    address: machine.address(w),
    group: (w.shape[0] / groups) * w.strides[0] * 4,
    row: w.strides[1] * 4,
    channel: w.strides[0] * 4,
  };
  const vertical = phases(target.height, w.shape[2], geometry, 0);
  const horizontal = phases(target.width, w.shape[3], geometry, 1);
  if ([...vertical, ...horizontal].some((phase) => phase.taps.length === 0)) machine.zeros(out);
  for (const rows of vertical) {
    for (const columns of horizontal) {
      if (rows.count * columns.count * rows.taps.length * columns.taps.length === 0) continue;
      const taps = rows.taps.flatMap((r) =>
        columns.taps.map((s) => ({
          row: r.distance,
          column: s.distance,
          weight: (r.index * w.strides[2] + s.index * w.strides[3]) * 4,
        })),
      );
      const [image, channel, row, column] = target.strides;
      const phase: ImageTensor = {
        ...target,
        address: target.address + rows.first * row + columns.first * column,
        height: rows.count,
        width: columns.count,
        strides: [image, channel, row * vertical.length, column * horizontal.length],
      };
      slide(
        machine,
        { source, out: phase, taps, top: rows.before, left: columns.before, rowStep: 1, step: 1 },
        filters,
      );
    }
  }
}
