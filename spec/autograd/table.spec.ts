import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import type { Row } from '../../lib/autograd/row.js';
import { type OpName, table } from '../../lib/autograd/table.js';
import { apply, backward, noGrad } from '../../lib/autograd/tape.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { type Point, type Sample, samples } from './samples/index.js';
import { gradOf, numbers, tensorsOf } from './support.js';

/** The operation under test, as a function of its tensors alone. */
function operation(name: OpName, { attrs }: Point<unknown>): (...inputs: Tensor[]) => Tensor {
  return (...inputs) => apply(name, inputs, (typeof attrs === 'function' ? attrs(inputs) : attrs) as never);
}

/** Inputs the row has no rule for are constants of the check. */
function varies(row: Row<unknown>, index: number): boolean {
  return typeof row.vjp === 'function' || row.vjp === undefined || row.vjp[index] !== null;
}

for (const [key, value] of Object.entries(samples)) {
  const name = key as OpName;
  const row = table[name] as unknown as Row<unknown>;
  const sample = value as Sample<unknown>;

  t.test(`${name}: gradients equal differences`, async (t) => {
    for (const [i, point] of sample.points.entries()) {
      const all = tensorsOf(point.inputs);
      const free = all.filter((_, index) => varies(row, index));
      const run = operation(name, point);
      const insert = (variables: readonly Tensor[]) => {
        const rest = [...variables];
        return all.map((constant, index) => (varies(row, index) ? (rest.shift() as Tensor) : constant));
      };
      const { surrogate } = point;
      const options = surrogate
        ? {
            surrogate:
              () =>
              (...x: Tensor[]) =>
                surrogate(...insert(x)),
          }
        : {};
      const { error } = await checkGrads((...x: Tensor[]) => run(...insert(x)), free, options);
      t.ok(error <= 1e-7, `point ${i}: relative error ${error.toExponential(1)}`);
    }
  });

  t.test(`${name}: edges`, async (t) => {
    for (const [i, edge] of sample.edges.entries()) {
      const leaves = tensorsOf(edge.inputs).map((x) => x.withGrad());
      const y = operation(name, edge)(...leaves);
      const want = numbers(edge.value);
      t.same(y.shape, want.shape, `edge ${i}: shape`);
      closeTo(t, await y.data(), want.data, 1e-12, `edge ${i}: value`);
      const isFlat = edge.grads.every((grad) => grad === null);
      t.equal(y.requiresGrad, !isFlat, `edge ${i}: ${isFlat ? 'has no' : 'has a'} history`);
      if (isFlat) continue;
      const upstream = edge.upstream ?? { shape: want.shape, data: want.data.map(() => 1) };
      backward(y, tensorsOf([upstream])[0]);
      for (const [j, grad] of edge.grads.entries()) {
        const got = await gradOf(leaves[j]);
        if (grad === null) t.equal(got, null, `edge ${i}: argument ${j} gets no gradient`);
        else closeTo(t, got ?? [], numbers(grad).data, 1e-12, `edge ${i}: gradient to argument ${j}`);
      }
    }
  });

  t.test(`${name}: the tape does not change the value`, async (t) => {
    for (const dtype of ['float32', 'float64'] as const) {
      for (const point of [...sample.points, ...sample.edges]) {
        const run = operation(name, point);
        const plain = run(...tensorsOf(point.inputs, dtype));
        const taped = run(...tensorsOf(point.inputs, dtype).map((x) => x.withGrad()));
        const untaped = noGrad(() => run(...tensorsOf(point.inputs, dtype).map((x) => x.withGrad())));
        t.equal(plain.dtype, dtype);
        t.notOk(plain.requiresGrad || untaped.requiresGrad, 'no history without leaves or without recording');
        arraysEqual(t, await taped.data(), await plain.data(), 'on the tape', { signedZeros: true });
        arraysEqual(t, await untaped.data(), await plain.data(), 'inside noGrad', { signedZeros: true });
      }
    }
  });
}

t.test('straight-through rows, and only they, are checked against a surrogate', async (t) => {
  for (const [name, sample] of Object.entries(samples)) {
    const { surrogate } = table[name as OpName] as unknown as Row<unknown>;
    for (const point of sample.points) t.equal('surrogate' in point, surrogate !== undefined, name);
  }
});
