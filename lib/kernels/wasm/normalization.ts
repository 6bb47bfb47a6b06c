import type { View } from '../../tensor/view.js';
import type { FusedKernels, QuantGrid } from '../backend.js';
import { elementJob, type Machine } from './machine.js';

/** Elements whose share of the scale gradient is summed apart, as in assembly/quantize.ts. */
const PART = 16384;

/** Images, channels and pixels of `[N, C, …]`. */
function planes(x: View): [number, number, number] {
  const [images, channels, ...rest] = x.shape;
  return [images, channels, rest.reduce((size, extent) => size * extent, 1)];
}

/** Batch norm and fake quantization. */
export function normalizationKernels(
  machine: Machine,
): Pick<FusedKernels, 'channelStats' | 'channelAffine' | 'batchNormGrad' | 'fakeQuantize' | 'fakeQuantizeGrad'> {
  return {
    channelStats(x) {
      const [images, channels, pixels] = planes(x);
      const mean = machine.output([channels]);
      const variance = machine.output([channels]);
      machine.dense([x], (from) => {
        const job = { units: channels, pieces: 2, cost: images * pixels * 0.4 };
        machine.run(
          'channelStats',
          job,
          ...([from, images, channels, pixels, machine.address(mean), machine.address(variance)] as const),
        );
      });
      return { mean, variance };
    },

    channelAffine(x, mean, scale, shift) {
      const [images, channels, pixels] = planes(x);
      const out = machine.output(x.shape);
      machine.dense([x, mean, scale, shift], (from, m, a, b) => {
        const job = { units: images * channels, pieces: 4, cost: pixels * 0.5 + 5 };
        machine.run('channelAffine', job, from, m, a, b, channels, pixels, machine.address(out));
      });
      return out;
    },

    batchNormGrad(g, x, mean, rstd, weight) {
      const [images, channels, pixels] = planes(x);
      const out = machine.output(x.shape);
      const weightGradient = machine.output([channels]);
      const biasGradient = machine.output([channels]);
      machine.dense([g, x, mean, rstd, weight], (fromG, from, m, r, w) => {
        const job = { units: channels, pieces: 2, cost: images * pixels, scratch: () => 64 };
        machine.run(
          'batchNormGradient',
          job,
          ...([fromG, from, m, r, w, images, channels, pixels] as const),
          ...([machine.address(out), machine.address(weightGradient), machine.address(biasGradient)] as const),
        );
      });
      return { x: out, weight: weightGradient, bias: biasGradient };
    },

    fakeQuantize(x, scale, grid) {
      const out = machine.output(x.shape);
      const count = x.shape.reduce((size, extent) => size * extent, 1);
      machine.dense([x], (from) => {
        const to = machine.address(out);
        machine.run(
          'fakeQuantize',
          elementJob(count),
          from,
          machine.address(scale),
          floorOf(grid),
          grid.low,
          grid.high,
          to,
        );
      });
      return out;
    },

    fakeQuantizeGrad: (g, x, scale, grid) => fakeQuantizeGradient(machine, g, x, scale, grid),
  };
}

/** What a value is raised to before it is quantized. */
function floorOf(grid: QuantGrid): number {
  return grid.relu ? 0 : Number.NEGATIVE_INFINITY;
}

function fakeQuantizeGradient(
  machine: Machine,
  g: View,
  x: View,
  scale: View,
  grid: QuantGrid,
): { x: View; scale: View } {
  const out = machine.output(x.shape);
  const scaleGradient = machine.output(scale.shape);
  const count = x.shape.reduce((size, extent) => size * extent, 1);
  const parts = Math.ceil(count / PART);
  machine.dense([g, x], (fromG, from) =>
    machine.borrow(parts * 8, (sums) => {
      machine.run(
        'fakeQuantizeGradient',
        { units: parts, pieces: 4, cost: PART },
        ...([fromG, from, machine.address(scale), floorOf(grid), grid.low, grid.high, count] as const),
        ...([machine.address(out), sums] as const),
      );
      machine.runOnce('sumParts', sums, parts, machine.address(scaleGradient));
    }),
  );
  return { x: out, scale: scaleGradient };
}
