import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { FastPaths } from '../fast.js';
import type { ConvGeometry } from '../geometry.js';
import type { WinogradChoice } from './choices.js';
import { FILTER_GROWTH, type Grid } from './grids.js';
import type { Machine } from './machine.js';
import { withPairs } from './pairs.js';
import { planeForward, planeInputGradient, planeWeightGradient } from './planes.js';
import { slideBackward, slideForward } from './slidingPasses.js';
import { forwardStrategy, inputGradientStrategy, type PairStrategy, weightGradientStrategy } from './strategy.js';
import { correlate, depthwiseWeightGradient } from './weightgrad.js';
import { winograd, winogradWeightGradient } from './winograd.js';

/** Convolution and its two gradients, filtered by tiles of the chosen kind where that pays. */
export function convolutionKernels(machine: Machine, choice: WinogradChoice) {
  return {
    conv2d(x: View, w: View, geometry: ConvGeometry): View {
      const out = machine.output(outputShape(x.shape, w.shape, geometry));
      if (isTrivial(machine, x, w, out)) return out;
      const [gridX, gridW] = [machine.grids.of(x), machine.grids.of(w)];
      forward(machine, choice, { x, w, geometry, out }, gridX && gridW ? [gridX, gridW] : null);
      return out;
    },

    conv2dInputGrad(g: View, w: View, shape: Shape, geometry: ConvGeometry): View {
      const out = machine.output(shape);
      if (isTrivial(machine, g, w, out)) return out;
      const strategy = inputGradientStrategy(choice, shape, w.shape, geometry);
      if (strategy.kind === 'sliding') {
        slideBackward(machine, g, w, geometry, out);
        return out;
      }
      machine.note(strategy.algorithm);
      if (strategy.kind === 'planes') planeInputGradient(machine, strategy.planes, g, w, out);
      else {
        // The filters seen from behind: axes swapped, taps from the last to the first.
        const [o, c, r, s] = w.strides.map((stride) => stride * 4);
        const filters = { address: machine.address(w) + 2 * (r + s), strides: [c, o, -r, -s] as const };
        const around = [2 - geometry.padding[0], 2 - geometry.padding[1]] as const;
        machine.dense([g], (address) => winograd(machine, strategy.tile, { ...g, address }, filters, around, out));
      }
      return out;
    },

    conv2dWeightGrad(g: View, x: View, shape: Shape, geometry: ConvGeometry): View {
      const out = machine.output(shape);
      if (isTrivial(machine, g, x, out)) return out;
      const strategy = weightGradientStrategy(choice, x.shape, shape, g.shape, geometry);
      machine.note(strategy.algorithm);
      if (strategy.kind === 'planes') planeWeightGradient(machine, strategy.planes, g, x, out);
      else if (strategy.kind === 'winograd') {
        winogradWeightGradient(machine, strategy.way, g, x, geometry.padding, out);
      } else if (strategy.kind === 'depthwise') depthwiseWeightGradient(machine, g, x, geometry, out);
      else {
        machine.dense([x, g], (from, gradient) =>
          correlate(machine, { ...x, address: from }, { ...g, address: gradient }, geometry, out),
        );
      }
      return out;
    },
  };
}

function outputShape(x: Shape, w: Shape, { stride, padding, dilation }: ConvGeometry): Shape {
  const extent = (axis: 0 | 1) =>
    Math.floor((x[2 + axis] + 2 * padding[axis] - dilation[axis] * (w[2 + axis] - 1) - 1) / stride[axis]) + 1;
  return [x[0], w[0], extent(0), extent(1)];
}

/** Whether there is nothing to multiply; `out` is then finished. */
function isTrivial(machine: Machine, a: View, b: View, out: View): boolean {
  if (sizeOf(out.shape) === 0) return true;
  if (sizeOf(a.shape) * sizeOf(b.shape) > 0) return false;
  machine.zeros(out);
  return true;
}

interface Forward {
  readonly x: View;
  readonly w: View;
  readonly geometry: ConvGeometry;
  readonly out: View;
}

type OperandGrids = readonly [Grid, Grid];

function forward(machine: Machine, choice: WinogradChoice, task: Forward, grids: OperandGrids | null): void {
  const { x, w, geometry, out } = task;
  const strategy = forwardStrategy(choice, x.shape, w.shape, out.shape, geometry, grids);
  if (strategy.kind === 'sliding') slideForward(machine, machine.operand(x), machine.operand(w), geometry, out);
  else if (strategy.kind === 'planes') {
    machine.note(strategy.algorithm);
    planeForward(machine, strategy.planes, x, w, out);
  } else if (strategy.kind === 'winograd') {
    machine.note(strategy.algorithm);
    const [o, c, r, s] = w.strides.map((stride) => stride * 4);
    const filters = { address: machine.address(w), strides: [o, c, r, s] as const };
    machine.dense([x], (address) =>
      winograd(machine, strategy.tile, { ...x, address }, filters, geometry.padding, out),
    );
  } else if (!grids || !forwardOnPairs(machine, strategy, task, grids)) {
    // A value has left its grid since: in floats.
    forward(machine, choice, task, null);
  }
}

/** By exact products of integers; false, and nothing done, if a value is not on its grid after all. */
function forwardOnPairs(
  machine: Machine,
  strategy: PairStrategy,
  { x, w, geometry, out }: Forward,
  grids: OperandGrids,
): boolean {
  const [left, right] = [x, w].map((view, i) => ({ view, grid: grids[i] }));
  if (strategy.kind === 'slidingPairs') {
    return withPairs(machine, left, right, 1, (px, pw, scales) => slideForward(machine, px, pw, geometry, out, scales));
  }
  return withPairs(machine, left, right, FILTER_GROWTH, (px, { address }, scales) => {
    machine.note(strategy.algorithm);
    winograd(machine, 'f4', px, { address, strides: [0, 0, 0, 0] }, geometry.padding, out, scales);
  });
}

export function convolutionPaths(machine: Machine, choice: WinogradChoice): FastPaths {
  const { conv2d, conv2dInputGrad, conv2dWeightGrad } = convolutionKernels(machine, choice);
  return {
    conv2d: {
      value: ([x, w], geometry) => conv2d(x, w, geometry),
      vjp: [
        (g, s) => conv2dInputGrad(g, s.input(1), s.shapes[0], s.attrs),
        (g, s) => conv2dWeightGrad(g, s.input(0), s.shapes[1], s.attrs),
      ],
    },
  };
}
