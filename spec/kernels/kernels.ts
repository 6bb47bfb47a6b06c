// Rows bring the fast paths.
import '../../lib/index.js';
import type { Backend } from '../../lib/kernels/backend.js';
import type { AccumulatorBound, FastAttrs, FastRow, FastRows, QuantGrid, Saved } from '../../lib/kernels/fast.js';
import type { ConvGeometry, Window } from '../../lib/kernels/geometry.js';
import type { Shape } from '../../lib/tensor/shape.js';
import type { View } from '../../lib/tensor/view.js';

/** What follows a batch norm: nothing, a ReLU, or a grid with its scale. */
export type Follower = 'none' | 'relu' | (QuantGrid & { readonly scale: View });

/**
 * The fast paths of a backend as plain functions of views: what specs of a backend run, so that nothing stands in for
 * it.
 * @throws Error where the backend has no fast path or declines
 */
export function kernelsOf(backend: Backend) {
  const fastRow = <Name extends keyof FastRows>(name: Name) => (backend.fast?.[name] ?? {}) as FastRow<FastAttrs<Name>>;

  const outputs = <Name extends keyof FastRows>(name: Name, inputs: readonly View[], attrs: FastAttrs<Name>) => {
    const result = ran(name, fastRow(name).value?.(inputs, attrs));
    return 'storage' in result ? [result] : result;
  };

  /** Gradients to all arguments at once. */
  const jointly = <Name extends keyof FastRows>(
    name: Name,
    g: View,
    saved: Saved<FastAttrs<Name>>,
  ): readonly View[] => {
    const { vjp } = fastRow(name);
    return ran(name, typeof vjp === 'function' ? vjp(g, saved) : null).map((grad) => ran(name, grad));
  };

  /** The gradient to one argument. */
  const to = <Name extends keyof FastRows>(name: Name, argument: number, g: View, saved: Saved<FastAttrs<Name>>) => {
    const { vjp } = fastRow(name);
    return ran(name, typeof vjp === 'object' ? vjp[argument](g, saved) : null);
  };

  const norm = (x: View, weight: View, bias: View, epsilon: number, follower: Follower) => {
    const operands = [x, weight, bias];
    if (typeof follower === 'string') return { operands, attrs: { epsilon, activation: follower } } as const;
    return { operands: [...operands, follower.scale], grid: { epsilon, grid: follower } } as const;
  };

  return {
    conv2d: (x: View, w: View, geometry: ConvGeometry) => outputs('conv2d', [x, w], geometry)[0],
    conv2dInputGrad: (g: View, w: View, x: Shape, geometry: ConvGeometry) =>
      to('conv2d', 0, g, saved(geometry, [x, w])),
    conv2dWeightGrad: (g: View, x: View, w: Shape, geometry: ConvGeometry) =>
      to('conv2d', 1, g, saved(geometry, [x, w])),
    maxPool2d: (x: View, window: Window) => outputs('maxPool2d', [x], window)[0],
    maxPool2dGrad: (g: View, x: View, y: View, window: Window) => to('maxPool2d', 0, g, saved(window, [x], [y])),
    upsampleNearest: (x: View, factor: number) => outputs('upsampleNearest', [x], { factor })[0],
    /** The result, mean and variance. */
    batchNorm(x: View, weight: View, bias: View, epsilon: number, follower: Follower): readonly View[] {
      const { operands, attrs, grid } = norm(x, weight, bias, epsilon, follower);
      return attrs ? outputs('batchNorm', operands, attrs) : outputs('batchNormQuantize', operands, grid);
    },
    /** Gradients to x, γ, β and perhaps the scale. */
    batchNormGrad(g: View, operands: Parameters<typeof norm>, stats: readonly View[]): readonly View[] {
      const { operands: inputs, attrs, grid } = norm(...operands);
      const kept = [g, ...stats];
      return attrs
        ? jointly('batchNorm', g, saved(attrs, inputs, kept))
        : jointly('batchNormQuantize', g, saved(grid, inputs, kept));
    },
    kthSmallest: (x: View, k: number) => outputs('kthSmallest', [x], { k })[0],
    kthSmallestGrad: (g: View, x: View, k: number) => to('kthSmallest', 0, g, saved({ k }, [x])),
    powerScale: (x: View, divisor: number) => outputs('powerScale', [x], { divisor })[0],
    fakeQuantize: (x: View, scale: View, grid: QuantGrid) => outputs('fakeQuantize', [x, scale], grid)[0],
    /** Gradients to x and the scale. */
    fakeQuantizeGrad: (g: View, x: View, scale: View, grid: QuantGrid) =>
      jointly('fakeQuantize', g, saved(grid, [x, scale])),
    a2qWeights: (w: View, d: View, t: View, bound: AccumulatorBound) => outputs('a2qWeights', [w, d, t], bound)[0],
    /** Gradients to w, d and t. */
    a2qWeightsGrad: (g: View, w: View, d: View, t: View, bound: AccumulatorBound) =>
      jointly('a2qWeights', g, saved(bound, [w, d, t])),
  };
}

/** @throws Error if there is nothing */
function ran<Result>(name: string, result: Result | null | undefined): Result {
  if (result === null || result === undefined) throw new Error(`there is no fast path of ${name}, or it declines`);
  return result;
}

/** What gradient rules look at, of operands or, where only that matters, their shapes. */
function saved<A>(attrs: A, operands: readonly (View | Shape)[], outputs: readonly View[] = []): Saved<A> {
  return {
    attrs,
    shapes: operands.map((each) => ('storage' in each ? each.shape : each)),
    input: (i) => operands[i] as View,
    output: (i = 0) => outputs[i],
  };
}
