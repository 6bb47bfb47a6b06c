import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { Content } from './content.js';
import { alongChannels, map, type Operand, operand, whole } from './map.js';
import { reduceTerms, type Term } from './reduction.js';
import type { Runtime } from './runtime.js';

/**
 * Batch norm in training and its gradient (channels on axis 1). Counts are scalars: `/ literal` may be inexact.
 */
export function normalizationKernels(runtime: Runtime) {
  /** `Σ term` over all axes but 1, `[C]`. */
  const perChannel = (x: View, operands: readonly Operand[], term: Term): Content => {
    const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
    if (sizeOf(x.shape) === 0) return runtime.filled(x.shape[1], 0);
    return reduceTerms(runtime, 'sum', x.shape, operands, axes, { term });
  };
  const dividedBy = (sum: Content, count: number, channels: number): Content => {
    const mean = map(runtime, [channels], [whole(sum, [channels])], ([s], [n]) => `return ${s} / ${n};`, [count]);
    sum.release();
    return mean;
  };
  const vectors = (x: View, views: readonly View[]) => views.map((view) => alongChannels(runtime, view, x.shape));

  return {
    /** Two passes: the variance is the mean square of what the mean leaves, so that large means cost no digits. */
    channelStats(x: View): [mean: View, variance: View] {
      const channels = x.shape[1];
      const count = sizeOf(x.shape) / channels;
      const from = operand(runtime, x);
      const sum = perChannel(x, [from], ([v]) => `const v = ${v};`);
      const mean = runtime.result(dividedBy(sum, count, channels), [channels]);
      const squares = perChannel(
        x,
        [from, ...vectors(x, [mean])],
        ([value, m]) => `const centred = ${value} - ${m};\nconst v = centred * centred;`,
      );
      return [mean, runtime.result(dividedBy(squares, count, channels), [channels])];
    },

    channelAffine(x: View, mean: View, scale: View, shift: View): View {
      const operands = [operand(runtime, x), ...vectors(x, [mean, scale, shift])];
      const body = ([v, m, s, b]: readonly string[]) => `return (${v} - ${m}) * ${s} + ${b};`;
      return runtime.result(map(runtime, x.shape, operands, body), x.shape);
    },

    batchNormGrad(g: View, x: View, mean: View, rstd: View, weight: View): [View, View, View] {
      const channels = x.shape[1];
      const count = sizeOf(x.shape) / channels;
      const [gradient, from] = [operand(runtime, g), operand(runtime, x)];
      const slope = runtime.result(
        perChannel(
          x,
          [gradient, from, ...vectors(x, [mean, rstd])],
          ([d, value, m, r]) => `const v = ${d} * (${value} - ${m}) * ${r};`,
        ),
        weight.shape,
      );
      const bias = runtime.result(
        perChannel(x, [gradient], ([d]) => `const v = ${d};`),
        weight.shape,
      );
      const body = (
        [d, v, m, r, w, s, b]: readonly string[],
        [n]: readonly string[],
      ) => `const normalized = (${v} - ${m}) * ${r};
const centred = ${d} - ${b} / ${n} - normalized * (${s} / ${n});
return centred * (${w} * ${r});`;
      const operands = [gradient, from, ...vectors(x, [mean, rstd, weight, slope, bias])];
      return [runtime.result(map(runtime, x.shape, operands, body, [count]), x.shape), slope, bias];
    },
  };
}
