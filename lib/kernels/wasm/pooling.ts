import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { FastRows } from '../fast.js';
import { type Window, windowExtents } from '../geometry.js';
import type { Machine } from './machine.js';

/** Pooling, nearest up-sampling, and windows as columns. */
export function poolingKernels(machine: Machine) {
  /** The window over `[…, H, W]` as kernels read it. */
  const poolWords = (window: Window, shape: Shape) => {
    const [height, width] = shape.slice(-2);
    const { kernel, stride, padding, dilation } = window;
    const [outHeight, outWidth] = windowExtents(window, height, width);
    return machine.plan('Pool', {
      ...{ height, width, outHeight, outWidth, top: padding[0], left: padding[1] },
      ...{ kernelHeight: kernel[0], kernelWidth: kernel[1] },
      ...{ strideHeight: stride[0], strideWidth: stride[1] },
      ...{ dilationHeight: dilation[0], dilationWidth: dilation[1] },
    });
  };
  const planesOf = (shape: Shape) => shape[0] * shape[1];
  const planeJob = (shape: Shape, elements: number, cost: number) => ({
    units: elements === 0 ? 0 : planesOf(shape),
    pieces: 4,
    cost: (elements / planesOf(shape)) * cost,
  });

  return {
    fast: {
      maxPool2d: {
        value([x], window) {
          const [height, width] = windowExtents(window, x.shape[2], x.shape[3]);
          const out = machine.output([x.shape[0], x.shape[1], height, width]);
          const cost = window.kernel[0] * window.kernel[1] * 1.5;
          const job = { ...planeJob(x.shape, sizeOf(out.shape), cost), scratch: () => x.shape[3] * 4 + 16 };
          const to = machine.address(out);
          machine.dense([x], (from) => machine.run('maxPool', job, poolWords(window, x.shape), from, to));
          return out;
        },
        vjp: [
          (g, { input, shapes: [shape], attrs: window }) => {
            const out = machine.output(shape);
            const job = planeJob(shape, sizeOf(shape), 3);
            const to = machine.address(out);
            machine.dense([g, input(0)], (fromG, from) =>
              machine.run('maxPoolGradient', job, poolWords(window, shape), fromG, from, to),
            );
            return out;
          },
        ],
      },
      upsampleNearest: {
        value([x], { factor }) {
          const [n, c, height, width] = x.shape;
          const out = machine.output([n, c, height * factor, width * factor]);
          const job = planeJob(x.shape, sizeOf(out.shape), 0.7);
          machine.dense([x], (from) => machine.run('upsample', job, from, height, width, factor, machine.address(out)));
          return out;
        },
        vjp: [
          (g, { shapes: [shape], attrs: { factor } }) => {
            const out = machine.output(shape);
            const job = planeJob(g.shape, sizeOf(g.shape), 1);
            const [, , height, width] = shape;
            const to = machine.address(out);
            machine.dense([g], (from) => machine.run('upsampleGradient', job, from, height, width, factor, to));
            return out;
          },
        ],
      },
    } satisfies FastRows,

    im2col(x: View, window: Window): View {
      const [height, width] = windowExtents(window, x.shape[2], x.shape[3]);
      const taps = window.kernel[0] * window.kernel[1];
      const out = machine.output([x.shape[0], x.shape[1], taps, height * width]);
      const job = planeJob(x.shape, sizeOf(out.shape), 1);
      machine.dense([x], (from) => machine.run('im2col', job, poolWords(window, x.shape), from, machine.address(out)));
      return out;
    },

    col2im(columns: View, shape: Shape, window: Window): View {
      const out = machine.output(shape);
      const job = planeJob(shape, sizeOf(shape), window.kernel[0] * window.kernel[1]);
      machine.dense([columns], (from) =>
        machine.run('col2im', job, poolWords(window, shape), from, machine.address(out)),
      );
      return out;
    },
  };
}
