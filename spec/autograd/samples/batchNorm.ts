import { add, div, mean, mul, reshape, sqrt, square, sub } from '../../../lib/autograd/ops.js';
import type { AttrsOf } from '../../../lib/autograd/table.js';
import type { QuantGrid } from '../../../lib/kernels/fast.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { channelAffine, channelStats, numberArray } from '../../oracle.js';
import { between, f64, type Numbers, shaped } from '../support.js';
import type { Point, Samples } from './index.js';

const anywhere = (shape: number[], seed = 1) => between(-2, 2, shape, seed);

/** x, γ and β of one shape. */
function drawn(shape: number[]): [Numbers, Numbers, Numbers] {
  const channels = shape[1];
  return [anywhere(shape), between(0.5, 2, [channels], 2), anywhere([channels], 3)];
}

/** Batch norm in elementary operations. */
function normalized(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  const axes = [0, 2, 3];
  const vector = (v: Tensor) => reshape(v, [1, v.size, 1, 1]);
  const centred = sub(x, mean(x, { axes, keepDims: true }));
  const variance = mean(square(centred), { axes, keepDims: true });
  return add(mul(div(centred, sqrt(add(variance, epsilon))), vector(weight)), vector(bias));
}

/** As for `fakeQuantize`, of the normalised values. */
function quantizePoint(grid: QuantGrid, scale: number, epsilon: number): Point<AttrsOf<'batchNormQuantize'>> {
  const inputs = drawn([3, 2, 2, 2]);
  const [x, weight, bias] = inputs.map(({ shape, data }) => numberArray(shape, data));
  const { mean: m, variance } = channelStats(x);
  const gain = { shape: [2], data: variance.data.map((v, c) => weight.data[c] / Math.sqrt(v + epsilon)) };
  const terms = channelAffine(x, m, gain, bias).data.map((y) => {
    if (grid.relu && y < 0) return { slope: 0, multiple: 0 };
    const rounded = Math.round(y / scale);
    if (rounded < grid.low) return { slope: 0, multiple: grid.low };
    if (rounded > grid.high) return { slope: 0, multiple: grid.high };
    return { slope: 1, multiple: rounded - y / scale };
  });
  const term = (key: 'slope' | 'multiple') =>
    f64(
      terms.map((each) => each[key]),
      x.shape,
    );
  return {
    inputs: [...inputs, scale],
    attrs: { epsilon, grid },
    surrogate: (at, w, b, s) => add(mul(normalized(at, w, b, epsilon), term('slope')), mul(term('multiple'), s)),
  };
}

export const batchNormSamples: Pick<Samples, 'batchNorm' | 'batchNormQuantize'> = {
  batchNorm: {
    points: [
      { inputs: drawn([3, 2, 2, 2]), attrs: { epsilon: 1e-5, activation: 'none' } },
      { inputs: drawn([6, 3]), attrs: { epsilon: 1e-2, activation: 'none' } },
      { inputs: drawn([3, 2, 2, 2]), attrs: { epsilon: 1e-5, activation: 'relu' } },
    ],
    edges: [
      {
        inputs: [shaped([2, 1], [1, 3]), [2], [5]],
        attrs: { epsilon: 0, activation: 'none' },
        upstream: shaped([2, 1], [1, 0]),
        value: shaped([2, 1], [3, 7]),
        grads: [shaped([2, 1], [0, 0]), [-1], [1]],
      },
      {
        // x̂ is −1 and 1, y is 0 and 4: the slope of the ReLU at 0 is 0.
        inputs: [shaped([2, 1], [1, 3]), [2], [2]],
        attrs: { epsilon: 0, activation: 'relu' },
        value: shaped([2, 1], [0, 4]),
        grads: [shaped([2, 1], [0, 0]), [1], [1]],
      },
    ],
  },
  batchNormQuantize: {
    points: [quantizePoint({ low: -2, high: 3 }, 0.7, 1e-5), quantizePoint({ low: 0, high: 3, relu: true }, 0.6, 1e-3)],
    edges: [
      {
        // x̂ is −1, 1, −1, 1 and y is −0.3, 1.25, −0.3, 1.25: −0.6 rounds out of the grid, 2.5 to 2;
        // Σ g·x̂ = 2, Σ g = 2.
        inputs: [shaped([4, 1], [1, 3, 1, 3]), [0.775], [0.475], 0.5],
        attrs: { epsilon: 0, grid: { low: 0, high: 3 } },
        value: shaped([4, 1], [0, 1, 0, 1]),
        grads: [shaped([4, 1], [0, 0, 0, 0]), [2], [2], 2 * (2 - 2.5)],
      },
    ],
  },
};
