import { differentiate, evaluate, type Row } from '../lib/autograd/row.js';
import type { View } from '../lib/tensor/view.js';

/** A row's (first) output, off the tape, by whatever is fastest on the backend of its inputs. */
export function outputOf<A>(row: Row<A>, inputs: readonly View[], attrs: A): View {
  return evaluate(row, inputs, attrs)[0];
}

/** The gradient to one argument of a row, off the tape; `outputs` are those that its rules read. */
export function gradientOf<A>(
  row: Row<A>,
  argument: number,
  g: View,
  inputs: readonly View[],
  attrs: A,
  outputs: readonly View[] = [],
): View {
  const saved = {
    attrs,
    shapes: inputs.map(({ shape }) => shape),
    input: (index: number) => inputs[index],
    output: (index = 0) => outputs[index],
  };
  const wanted = inputs.map((_, index) => index === argument);
  return differentiate(row, g, saved, wanted)[argument] as View;
}
