import type { Shape } from '../tensor/shape.js';
import type { View } from '../tensor/view.js';
import type { ConvGeometry, Window } from './geometry.js';

/**
 * What a backend may offer beyond the required kernels, because the composition is slow. Each fast path carries the
 * name of the row (or of the step in place) that it speeds up and takes what that takes; the row's composition is its
 * definition, and conformance holds the two together. A call may be declined by returning null: the composition runs.
 */

/** What a gradient rule may look at: only what its row declares to save. */
export interface Saved<A> {
  readonly attrs: A;
  /** Shapes of all inputs (after broadcasting, for elementwise rows). */
  readonly shapes: readonly Shape[];
  /** Input `index`; the row must list it in `saves`. */
  input(index: number): View;
  /** Output `index`, by default the first; the row must list it in `saves`. */
  output(index?: number): View;
}

/** One output, or several in their order. */
export type Outputs = View | readonly View[];

/** Vector-Jacobian product: the gradient to one argument, from the gradient `g` to the (first) output. */
export type Vjp<A> = (g: View, saved: Saved<A>) => View;

/** Gradients to all arguments at once, where one kernel yields several; `null` for those without. */
export type JointVjp<A> = (g: View, saved: Saved<A>) => readonly (View | null)[];

/** A row's value and its gradient rules, in one pass over memory each. What is absent has no fast path. */
export interface FastRow<A> {
  readonly value?: (inputs: readonly View[], attrs: A) => Outputs | null;
  /** As the row's: one rule per argument, or a joint one. */
  readonly vjp?:
    | readonly ((g: View, saved: Saved<A>) => View | null)[]
    | ((...given: Parameters<JointVjp<A>>) => ReturnType<JointVjp<A>> | null);
}

/** Rows with a name that a backend can speed up, and their attributes. */
export interface FastRows {
  readonly conv2d?: FastRow<ConvGeometry>;
  readonly maxPool2d?: FastRow<Window>;
  readonly upsampleNearest?: FastRow<{ readonly factor: number }>;
  readonly batchNorm?: FastRow<BatchNormAttrs>;
  readonly batchNormQuantize?: FastRow<BatchNormQuantizeAttrs>;
  readonly kthSmallest?: FastRow<{ readonly k: number }>;
  readonly powerScale?: FastRow<{ readonly divisor: number }>;
  readonly fakeQuantize?: FastRow<QuantGrid>;
  readonly dequantize?: FastRow<{ readonly most: number }>;
  readonly a2qWeights?: FastRow<AccumulatorBound>;
  readonly a2qPenalty?: FastRow<{ readonly budget: number }>;
}

/** Updates in place of state that the caller owns; true when done. Their compositions are in `nn/`. */
export interface FastSteps {
  /** See `sgdStep` in `nn/optim/steps.ts`; any number of parameters at once, to the same bits. */
  readonly sgd?: (states: readonly SgdState[], step: SgdStep) => true | null;
  /** See `adamStep` there. */
  readonly adam?: (states: readonly AdamState[], step: AdamStep) => true | null;
  /** `into ← keep·into + share·x` on a contiguous view of equal shape: see `blend` in `nn/layers/batchNorm.ts`. */
  readonly blend?: (x: View, into: View, keep: number, share: number) => true | null;
}

export interface FastPaths extends FastRows, FastSteps {}

/** The attributes of a row that can be sped up. */
export type FastAttrs<Name extends keyof FastRows> = NonNullable<FastRows[Name]> extends FastRow<infer A> ? A : never;

/** An integer grid `low … high`, and whether a ReLU comes before it (activations). */
export interface QuantGrid {
  readonly low: number;
  readonly high: number;
  /** Quantize max(x, 0) in place of x; the gradient to x is 0 where x ≤ 0. Default false. */
  readonly relu?: boolean;
}

/** Batch norm with nothing or a ReLU behind it. */
export interface BatchNormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  readonly activation: 'none' | 'relu';
}

/** Batch norm with quantization behind it. */
export interface BatchNormQuantizeAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
  readonly grid: QuantGrid;
}

/** What the accumulator demands of the weights of a layer (A2Q, A2Q+). */
export interface AccumulatorBound {
  /** Q: integers are −Q … Q. */
  readonly limit: number;
  /** T (T₊): the largest l1 norm of a channel on the integer grid. */
  readonly budget: number;
  /** Whether the channel's mean is taken off first (A2Q+). */
  readonly centred: boolean;
  /** The register that the integers of a channel must never overflow. */
  readonly accumulator: Accumulator;
}

/** A P-bit two's complement register, and the integers c … d that weights are multiplied with before it sums them. */
export interface Accumulator {
  /** P, 1 … 32. */
  readonly bits: number;
  /** c ≤ 0. */
  readonly low: number;
  /** d ≥ 0. */
  readonly high: number;
}

/** What integer weights are held to: their magnitude, and the register that sums their products. */
export type IntegerBound = Pick<AccumulatorBound, 'limit' | 'accumulator'>;

/** A parameter, its gradient and what SGD remembers of it; all but the gradient are contiguous and updated in place. */
export interface SgdState {
  readonly parameter: View;
  readonly gradient: View;
  /** Null without momentum. */
  readonly velocity: View | null;
}

/** A parameter, its gradient and what Adam remembers; all but the gradient are contiguous and updated in place. */
export interface AdamState {
  readonly parameter: View;
  readonly gradient: View;
  readonly first: View;
  readonly second: View;
  /** The largest second average so far, with AMSGrad; null without. */
  readonly largest: View | null;
}

export interface SgdStep {
  readonly learningRate: number;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** First step: the momentum buffer becomes the gradient itself. */
  readonly first: boolean;
}

export interface AdamStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** True multiplies the parameter by 1 − lr·decay (AdamW); false adds decay·parameter to the gradient (Adam). */
  readonly decoupled: boolean;
  /** 1 for the first step. */
  readonly step: number;
}
