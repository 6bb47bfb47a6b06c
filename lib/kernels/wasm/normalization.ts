import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { viewSize } from '../../tensor/view.js';
import type { QuantGrid } from '../fast.js';
import { NOTHING, PART, QUANTIZER, RELU } from './assembly/blocking.js';
import { elementJob, type Machine } from './machine.js';

/** Channels whose planes have fewer pixels are gathered before they are worked on, to make long runs of them. */
const SMALL_PLANE = 256;

/** Addresses a call of batch norm is about; 0 for what it has no use for. */
interface NormAddresses {
  readonly x: number;
  readonly g?: number;
  readonly weight: number;
  readonly bias: number;
  readonly scale: number;
  readonly out: View;
  readonly weightGradient?: View;
  readonly biasGradient?: View;
  readonly scaleParts?: number;
}

/** Batch norm in training, and what follows it in the same pass. */
interface NormSettings {
  readonly epsilon: number;
  /** Nothing, a ReLU, or quantization on a grid (by a scale given beside it). */
  readonly activation: 'none' | 'relu' | QuantGrid;
}

/** Statistics of the channels of a batch, `[C]` each; the variance is the biased one. */
interface ChannelStats {
  readonly mean: View;
  readonly variance: View;
}

/** Batch norm with what follows it, running averages, and fake quantization. */
export function normalizationKernels(machine: Machine) {
  /** Runs a kernel over channels; the description is `Norm` in assembly/normRuns.ts. */
  const overChannels = (
    kernel: 'normActivate' | 'normActivateGradient',
    addresses: NormAddresses,
    { epsilon, activation }: NormSettings,
    { mean, variance }: ChannelStats,
  ): void => {
    const [images, channels, ...rest] = addresses.out.shape;
    const pixels = sizeOf(rest);
    const at = (view?: View) => (view ? machine.address(view) : 0);
    const gathers = images > 1 && pixels < SMALL_PLANE;
    const grid: QuantGrid = typeof activation === 'string' ? { low: 0, high: 0 } : activation;
    const { x, g = 0, weight, bias, scale, scaleParts = 0 } = addresses;
    const words = machine.plan('Norm', {
      ...{ x, g, weight, bias, scale, mean: at(mean), variance: at(variance), out: at(addresses.out) },
      ...{ weightGradient: at(addresses.weightGradient), biasGradient: at(addresses.biasGradient), scaleParts },
      ...{ images, channels, pixels, gathers: gathers ? 1 : 0, epsilon },
      activation: activation === 'none' ? NOTHING : activation === 'relu' ? RELU : QUANTIZER,
      // A grid that starts above 0 leaves a ReLU nothing to do.
      rectifies: grid.relu && grid.low <= 0 ? 1 : 0,
      ...{ low: grid.low, high: grid.high },
    });
    const size = images * pixels;
    const job = {
      units: size === 0 ? 0 : channels,
      pieces: 2,
      cost: size * 0.8,
      scratch: () => 64 + (gathers ? 2 * (size * 4 + 16) : 0),
    };
    machine.run(kernel, job, words);
  };

  return {
    /** The result, the batch's mean and its biased variance. */
    normActivate(x: View, weight: View, bias: View, scale: View | null, settings: NormSettings): View[] {
      const out = machine.output(x.shape);
      const stats = { mean: machine.output([x.shape[1]]), variance: machine.output([x.shape[1]]) };
      machine.dense([x, weight, bias], (from, w, b) => {
        const s = scale ? machine.address(scale) : 0;
        overChannels('normActivate', { x: from, weight: w, bias: b, scale: s, out }, settings, stats);
      });
      if (scale && typeof settings.activation !== 'string') noteGrid(machine, out, scale, settings.activation);
      return [out, stats.mean, stats.variance];
    },

    normActivateGrad(
      g: View,
      x: View,
      weight: View,
      bias: View,
      scale: View | null,
      settings: NormSettings,
      stats: ChannelStats,
    ) {
      const channels = x.shape[1];
      const out = machine.output(x.shape);
      const weightGradient = machine.output(weight.shape);
      const biasGradient = machine.output(bias.shape);
      const scaleGradient = scale && machine.output(scale.shape);
      machine.dense([g, x, weight, bias], (fromG, from, w, b) =>
        machine.borrow(channels * 8, (parts) => {
          const s = scale ? machine.address(scale) : 0;
          const given = { x: from, g: fromG, weight: w, bias: b, scale: s };
          const addresses = { ...given, out, weightGradient, biasGradient, scaleParts: parts };
          overChannels('normActivateGradient', addresses, settings, stats);
          if (scaleGradient) machine.runOnce('sumParts', parts, channels, machine.address(scaleGradient));
        }),
      );
      return { x: out, weight: weightGradient, bias: biasGradient, scale: scaleGradient };
    },

    blend(x: View, into: View, keep: number, share: number): true {
      machine.dense([x], (from) =>
        machine.run('blendInto', elementJob(viewSize(into)), from, machine.address(into), keep, share),
      );
      return true;
    },

    powerScale(x: View, divisor: number): View {
      const out = machine.output(x.shape);
      machine.dense([x], (from) =>
        machine.run('powerScale', elementJob(viewSize(x), 0, 10), from, divisor, machine.address(out)),
      );
      return out;
    },

    powerScaleGrad(g: View, x: View, divisor: number): View {
      const out = machine.output(x.shape);
      machine.dense([g, x], (fromG, from) =>
        machine.run('powerScaleGradient', elementJob(viewSize(x), 0, 10), fromG, from, divisor, machine.address(out)),
      );
      return out;
    },

    fakeQuantize(x: View, scale: View, grid: QuantGrid): View {
      const out = machine.output(x.shape);
      const count = viewSize(x);
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
      noteGrid(machine, out, scale, grid);
      return out;
    },

    fakeQuantizeGrad: (g: View, x: View, scale: View, grid: QuantGrid) =>
      fakeQuantizeGradient(machine, g, x, scale, grid),
  };
}

/** Remembers the grid a quantizer has put a tensor on. */
function noteGrid(machine: Machine, out: View, scale: View, { low, high }: QuantGrid): void {
  const scales = Float32Array.of(machine.floats[machine.address(scale) / 4]);
  machine.grids.note(out, { scales, most: Math.max(Math.abs(low), Math.abs(high)) });
}

/** What a value is raised to before it is quantized. */
function floorOf(grid: Pick<QuantGrid, 'relu'>): number {
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
  const count = viewSize(x);
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
