import { contiguousStrides, type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { ConvGeometry } from '../backend.js';
import { QUAD_BYTES, ROWS, TILE_BYTES } from './assembly/blocking.js';
import type { Machine } from './machine.js';
import {
  hasFlatPixels,
  imageTensor,
  isAdjacent3x3,
  isPointwise,
  kernelTaps,
  layOut,
  type Plan,
  planWords,
  RATE,
  stackImages,
} from './plan.js';
import { suitsWinograd, suitsWinogradGradient, winogradWeightGradient } from './winograd.js';

/** Four-pixel groups worth a call of the inner loop; small images are taken together until they have as many. */
const BLOCK_QUADS = 128;

/** Gradient of `conv2d` to its weights, `[O, C/groups, kh, kw]`. */
export function weightGradient(machine: Machine, g: View, x: View, weightShape: Shape, geometry: ConvGeometry): View {
  const result = machine.output(weightShape);
  const size = sizeOf(weightShape);
  if (size === 0) return result;
  if (sizeOf(g.shape) === 0 || sizeOf(x.shape) === 0) {
    machine.run('fill', { units: size, align: 16, cost: 0.3 }, 0, machine.address(result));
    return result;
  }
  const { groups, stride, padding } = geometry;
  const [outputs, inputs, ...kernel] = weightShape;
  const kind = { kernel, outHeight: g.shape[2], outWidth: g.shape[3], channels: inputs, rows: outputs };
  const pixels = g.shape[0] * g.shape[2] * g.shape[3];
  const pays = suitsWinogradGradient(machine.winograd, inputs, outputs, pixels);
  if (pays && suitsWinograd(machine.winograd, kind, geometry)) {
    winogradWeightGradient(machine, g, x, padding, result);
    return result;
  }
  const flat = isPointwise(weightShape, geometry) && hasFlatPixels(x) && hasFlatPixels(g);
  const gradient = imageTensor(machine.address(g), g, groups, flat);
  const { plan, tapOffsets } = layOut({
    source: imageTensor(machine.address(x), x, groups, flat),
    out: gradient,
    taps: kernelTaps({ shape: weightShape, strides: contiguousStrides(weightShape) }, geometry),
    top: padding[0],
    left: padding[1],
    rowStep: flat ? 1 : stride[0],
    step: flat ? 1 : stride[1],
  });
  plan.weights = machine.address(result);
  plan.tapOffsets = machine.words(tapOffsets);
  if (plan.channels === 1 && plan.rows <= 2) {
    plan.gathered = isAdjacent3x3(plan, tapOffsets) ? 1 : 0;
    depthwise(machine, plan);
  } else grouped(machine, plan);
  return result;
}

function depthwise(machine: Machine, plan: Plan): void {
  const plane = Math.ceil(plan.outWidth / 4) * plan.outHeight * 16;
  const scratch = plan.rows * plan.taps * 16 + plane + plan.planeBytes;
  const cost = (plan.images * plan.rows * plan.taps * plan.outHeight * plan.outWidth) / (RATE / 2);
  const job = { units: plan.groups, pieces: 4, cost, scratch: () => scratch };
  machine.run('depthwiseWeightGradient', job, machine.words(planWords(plan)));
}

function grouped(machine: Machine, plan: Plan): void {
  const panels = Math.ceil(plan.rows / ROWS);
  const depth = plan.channels * plan.taps;
  const pairs = Math.ceil(depth / 2);
  const pixels = plan.outHeight * plan.outWidth;
  const quads = plan.outHeight * Math.ceil(plan.outWidth / 4);
  // Narrow rows fill quads badly: then windows are gathered into rows without gaps, if those stay in the cache.
  plan.gathered = quads * 4 > 1.3 * pixels && depth * pixels * 4 < 1 << 22 ? 1 : 0;
  plan.quads = plan.gathered ? Math.ceil(pixels / 4) : quads;
  stackImages(plan, Math.ceil(BLOCK_QUADS / plan.quads));
  const packedUnits = plan.images * plan.groups * panels;
  const packedBytes = Math.ceil(plan.images / plan.block) * plan.block * plan.groups * panels * plan.quads * QUAD_BYTES;
  machine.borrow(packedBytes + depth * 4 + plan.block * plan.quads * 4, (buffer) => {
    plan.packed = buffer;
    plan.offsets = buffer + packedBytes;
    plan.table = plan.offsets + depth * 4;
    const address = machine.words(planWords(plan));
    machine.runOnce('windowOffsets', address);
    machine.runOnce('quadOffsets', address);
    machine.run('packGradient', { units: packedUnits, cost: plan.quads * 12 }, address);
    const job = {
      units: plan.groups * pairs,
      pieces: 2,
      cost: (plan.images * plan.rows * 2 * pixels) / RATE,
      scratch: (units: number) => {
        const count = Math.min(units, pairs);
        const channels = Math.min(plan.channels, Math.ceil((2 * count) / plan.taps) + 1);
        const gathering = plan.gathered ? 2 * count * plan.block * plan.quads * 16 : 0;
        return TILE_BYTES + panels * count * TILE_BYTES + channels * plan.channelBytes + gathering;
      },
    };
    machine.run('weightGradient', job, address);
  });
}
