import type { View } from '../../tensor/view.js';
import type { ConvGeometry } from '../geometry.js';
import { COLUMNS, ROWS, THIN } from './assembly/blocking.js';
import { cacheLines, type Machine } from './machine.js';
import type { Operand } from './operand.js';
import { forwardWindow, isAdjacent3x3, layOut, type Plan, RATE, spread } from './plan.js';

/** Bytes of images and gradients copied at once: some of the last-level cache. */
const COPY_BYTES = 1 << 23;
/** Fewer channels are not worth a run of their own for each tap. */
const FEW_CHANNELS = 16;
/** Vectors may reach so far past the last value of a copy. */
const OVERREACH = 64;

/** Gradient of `conv2d` to weights of one or two filters a group of one channel, `[O, 1, kh, kw]`. */
export function depthwiseWeightGradient(
  machine: Machine,
  g: View,
  x: View,
  geometry: ConvGeometry,
  result: View,
): void {
  const { plan, tapOffsets } = layOut(forwardWindow(machine.operand(x), result, machine.operand(g), geometry));
  plan.weights = machine.address(result);
  plan.tapOffsets = machine.words(tapOffsets);
  plan.gathered = isAdjacent3x3(plan, tapOffsets) ? 1 : 0;
  machine.run('depthwiseWeightGradient', depthwiseJob(plan), machine.plan('Plan', plan));
}

function depthwiseJob(plan: Plan) {
  const plane = Math.ceil(plan.outWidth / 4) * plan.outHeight * 16;
  const scratch = plan.rows * plan.taps * 16 + plane + plan.planeBytes;
  const cost = (plan.images * plan.rows * plan.taps * plan.outHeight * plan.outWidth) / (RATE / 2);
  return { units: plan.groups, pieces: 4, cost, scratch: () => scratch };
}

/**
 * Gradient of `conv2d` to any weights, `[O, C/groups, kh, kw]`, from contiguous images and gradients: both are copied,
 * channels last, and each run of taps is a product of matrices summed over pixels.
 */
export function correlate(machine: Machine, x: Operand, g: Operand, geometry: ConvGeometry, result: View): void {
  const { groups, stride, padding, dilation } = geometry;
  const [images, , height, width] = x.shape;
  const [, , outHeight, outWidth] = g.shape;
  const [outputs, channels, kh, kw] = result.shape;
  const rows = outputs / groups;
  const paddedHeight = (outHeight - 1) * stride[0] + (kh - 1) * dilation[0] + 1;
  const paddedWidth = (outWidth - 1) * stride[1] + (kw - 1) * dilation[1] + 1;
  // Few channels: taps of a row of the kernel lie side by side in the copy, unless it is dilated, and are one run.
  const adjacent = channels < FEW_CHANNELS && (kw === 1 || dilation[1] === 1);
  const inPixel = adjacent ? channels * 4 : spread(cacheLines(channels * 4));
  const outPixel = spread(cacheLines(Math.ceil(rows / ROWS) * ROWS * 4));
  const imageBytes = paddedHeight * paddedWidth * inPixel;
  const pixels = outHeight * outWidth;
  const perImage = groups * (imageBytes + pixels * outPixel);
  const block = Math.max(1, Math.min(images, Math.floor(COPY_BYTES / perImage)));
  const [run, runs] = adjacent ? [kw * channels, kh] : [channels, kh * kw];
  const runOffsets = Array.from({ length: runs }, (_, i) => {
    const [r, s] = adjacent ? [i, 0] : [Math.floor(i / kw), i % kw];
    return (r * dilation[0] * paddedWidth + s * dilation[1]) * inPixel;
  });
  const panels = Math.ceil(rows / ROWS);
  const step = rows <= THIN ? 12 : 8;
  const sumWidth = Math.ceil(run / step) * step;
  const columns = Math.ceil(sumWidth / (COLUMNS * step));
  const strips = Math.min(panels, Math.ceil((4 * machine.threads) / (groups * runs * columns)));
  const countAt = (first: number) => Math.min(block, images - first);
  const sizes = [
    block * groups * imageBytes + OVERREACH,
    block * groups * pixels * outPixel + OVERREACH,
    block * pixels * 4,
    groups * runs * panels * ROWS * sumWidth * 4,
  ].map(cacheLines);
  machine.borrow(
    sizes.reduce((sum, bytes) => sum + bytes, 0),
    (copy) => {
      const plan = {
        ...{ x: x.address, channels, height, width, g: g.address, rows, outHeight, outWidth, groups },
        ...{ top: padding[0], left: padding[1], paddedHeight, paddedWidth },
        ...{ strideHeight: stride[0], strideWidth: stride[1] },
        ...{ copy, inPixel, imageBytes, gradient: copy + sizes[0], outPixel, table: copy + sizes[0] + sizes[1] },
        ...{ run, runs, sums: copy + sizes[0] + sizes[1] + sizes[2] },
        panels: Math.ceil(panels / strips),
      };
      // Written anew for every block: words last only until the next few calls.
      const words = (first: number) => {
        const offsets = machine.words(runOffsets);
        return machine.plan('Correlation', { ...plan, first, count: countAt(first), runOffsets: offsets });
      };
      machine.run('windowTable', { units: block, cost: pixels }, words(0));
      for (let first = 0; first < images; first += block) {
        const count = countAt(first);
        const address = words(first);
        const copying = { pieces: 4, cost: groups * paddedWidth * channels * 0.5 };
        machine.run('copyImages', { ...copying, units: count * paddedHeight }, address);
        const regrouping = { pieces: 4, cost: groups * outWidth * rows * 0.5 };
        machine.run('copyGradients', { ...regrouping, units: count * outHeight }, address);
        const units = groups * runs * columns * Math.ceil(panels / plan.panels);
        const cost = (count * pixels * groups * rows * run * runs) / RATE / units;
        machine.run('weightSums', { units, pieces: 8, cost }, address);
      }
      const storing = { units: outputs, pieces: 4, cost: channels * kh * kw };
      machine.run('storeWeights', storing, words(0), machine.address(result));
    },
  );
}
