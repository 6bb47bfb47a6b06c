import { sizeOf } from '../../tensor/shape.js';
import { type View, viewSize } from '../../tensor/view.js';
import type { FastPaths, QuantGrid } from '../fast.js';
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

/** Nothing, a ReLU, or quantization on a grid (by a scale given beside it). */
type Follower = 'none' | 'relu' | QuantGrid;

/** Batch norm with what follows it, running averages, and fake quantization. */
export function normalizationKernels(machine: Machine) {
  /** Runs a kernel over channels; the description is `Norm` in assembly/normRuns.ts. */
  const overChannels = (
    kernel: 'normActivate' | 'normActivateGradient',
    addresses: NormAddresses,
    epsilon: number,
    follower: Follower,
    [mean, variance]: readonly View[],
  ): void => {
    const [images, channels, ...rest] = addresses.out.shape;
    const pixels = sizeOf(rest);
    const at = (view?: View) => (view ? machine.address(view) : 0);
    const gathers = images > 1 && pixels < SMALL_PLANE;
    const grid: QuantGrid = typeof follower === 'string' ? { low: 0, high: 0 } : follower;
    const { x, g = 0, weight, bias, scale, scaleParts = 0 } = addresses;
    const words = machine.plan('Norm', {
      ...{ x, g, weight, bias, scale, mean: at(mean), variance: at(variance), out: at(addresses.out) },
      ...{ weightGradient: at(addresses.weightGradient), biasGradient: at(addresses.biasGradient), scaleParts },
      ...{ images, channels, pixels, gathers: gathers ? 1 : 0, epsilon },
      activation: follower === 'none' ? NOTHING : follower === 'relu' ? RELU : QUANTIZER,
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

  /** The result, the batch's mean and its biased variance. */
  const value = ([x, weight, bias, scale]: readonly View[], epsilon: number, follower: Follower): View[] => {
    const out = machine.output(x.shape);
    const stats = [machine.output([x.shape[1]]), machine.output([x.shape[1]])];
    machine.dense([x, weight, bias], (from, w, b) => {
      const s = scale ? machine.address(scale) : 0;
      overChannels('normActivate', { x: from, weight: w, bias: b, scale: s, out }, epsilon, follower, stats);
    });
    if (typeof follower !== 'string') noteGrid(machine, out, scale, follower);
    return [out, ...stats];
  };

  /** Gradients to the inputs: x, γ, β and, where there is one, the scale. */
  const gradients = (
    g: View,
    inputs: readonly View[],
    epsilon: number,
    follower: Follower,
    stats: readonly View[],
  ): View[] => {
    const [x, weight, bias, scale] = inputs;
    const channels = x.shape[1];
    const grads = inputs.map(({ shape }) => machine.output(shape));
    const [out, weightGradient, biasGradient, scaleGradient] = grads;
    machine.dense([g, x, weight, bias], (fromG, from, w, b) =>
      machine.borrow(channels * 8, (parts) => {
        const s = scale ? machine.address(scale) : 0;
        const given = { x: from, g: fromG, weight: w, bias: b, scale: s };
        const addresses = { ...given, out, weightGradient, biasGradient, scaleParts: parts };
        overChannels('normActivateGradient', addresses, epsilon, follower, stats);
        if (scale) machine.runOnce('sumParts', parts, channels, machine.address(scaleGradient));
      }),
    );
    return grads;
  };

  return {
    batchNorm: {
      value: (inputs, { epsilon, activation }) => value(inputs, epsilon, activation),
      vjp: (g, { input, output, attrs: { epsilon, activation } }) =>
        gradients(g, [input(0), input(1), input(2)], epsilon, activation, [output(1), output(2)]),
    },
    batchNormQuantize: {
      value: (inputs, { epsilon, grid }) => value(inputs, epsilon, grid),
      vjp: (g, { input, output, attrs: { epsilon, grid } }) =>
        gradients(g, [input(0), input(1), input(2), input(3)], epsilon, grid, [output(1), output(2)]),
    },
    blend(x, into, keep, share) {
      machine.dense([x], (from) =>
        machine.run('blendInto', elementJob(viewSize(into)), from, machine.address(into), keep, share),
      );
      return true;
    },
    powerScale: {
      value([x], { divisor }) {
        const out = machine.output(x.shape);
        machine.dense([x], (from) =>
          machine.run('powerScale', elementJob(viewSize(x), 0, 10), from, divisor, machine.address(out)),
        );
        return out;
      },
      vjp: [
        (g, { input, attrs: { divisor } }) => {
          const out = machine.output(g.shape);
          const job = elementJob(viewSize(g), 0, 10);
          machine.dense([g, input(0)], (fromG, from) =>
            machine.run('powerScaleGradient', job, fromG, from, divisor, machine.address(out)),
          );
          return out;
        },
      ],
    },
    fakeQuantize: {
      value([x, scale], grid) {
        const out = machine.output(x.shape);
        const onto = [machine.address(scale), floorOf(grid), grid.low, grid.high, machine.address(out)] as const;
        machine.dense([x], (from) => machine.run('fakeQuantize', elementJob(viewSize(x)), from, ...onto));
        noteGrid(machine, out, scale, grid);
        return out;
      },
      vjp(g, { input, attrs: grid }) {
        const [x, scale] = [input(0), input(1)];
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
        return [out, scaleGradient];
      },
    },
  } satisfies FastPaths;
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
