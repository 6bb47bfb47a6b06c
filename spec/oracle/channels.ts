import { at, build, indices, type NumberArray } from './array.js';

/** Every index tuple of channel `c` (axis 1). */
function ofChannel(shape: readonly number[], c: number): number[][] {
  return indices(shape).filter((index) => index[1] === c);
}

/** Mean and biased variance of each channel. */
export function channelStats(x: NumberArray): { mean: NumberArray; variance: NumberArray } {
  const mean = build([x.shape[1]], ([c]) => {
    let sum = 0;
    let n = 0;
    for (const index of ofChannel(x.shape, c)) {
      sum += at(x, ...index);
      n++;
    }
    return sum / n;
  });
  const variance = build([x.shape[1]], ([c]) => {
    let sum = 0;
    let n = 0;
    for (const index of ofChannel(x.shape, c)) {
      sum += (at(x, ...index) - mean.data[c]) ** 2;
      n++;
    }
    return sum / n;
  });
  return { mean, variance };
}

export function channelAffine(x: NumberArray, mean: NumberArray, scale: NumberArray, shift: NumberArray): NumberArray {
  return build(x.shape, (index) => {
    const c = index[1];
    return (at(x, ...index) - mean.data[c]) * scale.data[c] + shift.data[c];
  });
}

/**
 * Gradients of batch norm by its full Jacobian: with x̂ = (x − mean)·rstd and n values a channel,
 * `∂x̂ⱼ/∂xᵢ = rstd·(δᵢⱼ − 1/n − x̂ᵢ·x̂ⱼ/n)`.
 */
export function batchNormGrad(
  g: NumberArray,
  x: NumberArray,
  mean: NumberArray,
  rstd: NumberArray,
  weight: NumberArray,
): { x: NumberArray; weight: NumberArray; bias: NumberArray } {
  const normalized = build(x.shape, (index) => (at(x, ...index) - mean.data[index[1]]) * rstd.data[index[1]]);
  const channels = indices(weight.shape).map(([c]) => ofChannel(x.shape, c));
  const total = (c: number, term: (index: number[]) => number) => {
    let sum = 0;
    for (const index of channels[c]) sum += term(index);
    return sum;
  };
  return {
    x: build(x.shape, (i) => {
      const c = i[1];
      const n = channels[c].length;
      return total(c, (j) => {
        const isSame = i.every((coordinate, axis) => coordinate === j[axis]);
        const slope = (isSame ? 1 : 0) - 1 / n - (at(normalized, ...i) * at(normalized, ...j)) / n;
        return at(g, ...j) * weight.data[c] * rstd.data[c] * slope;
      });
    }),
    weight: build(weight.shape, ([c]) => total(c, (j) => at(g, ...j) * at(normalized, ...j))),
    bias: build(weight.shape, ([c]) => total(c, (j) => at(g, ...j))),
  };
}
