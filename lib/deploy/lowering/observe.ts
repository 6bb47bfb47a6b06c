import { asModule, type Module } from '../../nn/module.js';
import { asTensor } from '../../tensor/argument.js';
import { sizeOf } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { View } from '../../tensor/view.js';
import { hostValues } from '../hostValues.js';
import type { IntegerValue } from '../runtime/reference.js';
import { GraphBuilder } from './builder.js';
import { modelIntegers, traceModel } from './lower.js';

/** What a model computes, in integers. */
export interface ObservedModel {
  /** By the names of the values of its integer graph; those of average pools stay unknown. */
  readonly values: ReadonlyMap<string, IntegerValue>;
  /** Of the model, `[N, …]`, in host memory. */
  readonly output: { readonly shape: readonly number[]; readonly data: Float64Array };
}

/**
 * The integers behind the floats of a model's forward pass, at every value of its integer graph: each float is divided
 * by the step of its grid and rounded.
 * @param x `[N, …]`, on a backend that the host can read (not a GPU)
 * @throws QuantError as `lower`
 */
export async function observeIntegers(model: Module, x: Tensor): Promise<ObservedModel> {
  asModule('observeIntegers', model);
  asTensor('observeIntegers', 'x', x);
  const values = new Map<string, IntegerValue>();
  let output = { shape: x.shape, data: new Float64Array(0) };
  traceModel(model, x, {
    ...{ mode: 'none', builder: new GraphBuilder(), integers: await modelIntegers(model) },
    onValue: (name, view, steps) => values.set(name, integersOf(view, steps)),
    onOutput: (y) => {
      output = { shape: y.shape, data: Float64Array.from(hostValues('observeIntegers', y)) };
    },
  });
  return { values, output };
}

function integersOf(view: View, steps: ArrayLike<number>): IntegerValue {
  const { shape } = view;
  const host = hostValues('observeIntegers', view);
  const data = new Int32Array(host.length);
  const area = steps.length === 1 ? host.length : sizeOf(shape.slice(2));
  for (let plane = 0, at = 0; at < data.length; plane++) {
    const step = steps[plane % steps.length];
    for (const end = at + area; at < end; at++) data[at] = Math.round(host[at] / step);
  }
  return { shape, data };
}
