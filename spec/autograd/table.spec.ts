import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import type { Row } from '../../lib/autograd/row.js';
import { table } from '../../lib/autograd/table.js';
import { apply, backward, noGrad } from '../../lib/autograd/tape.js';
import { a2qRows } from '../../lib/quant/a2qWeights.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { a2qSamples, type Point, type Sample, samples } from './samples/index.js';
import { gradOf, numbers, tensorsOf } from './support.js';

/** Every row that has a derivative written by hand: the table's and the method's. */
const ROWS = { ...table, ...a2qRows } as unknown as Readonly<Record<string, Row<unknown>>>;
const SAMPLES: Readonly<Record<string, Sample<unknown>>> = { ...samples, ...a2qSamples };

/** The operation under test, as a function of its tensors alone. */
function operation(row: Row<unknown>, { attrs }: Point<unknown>): (...inputs: Tensor[]) => Tensor {
  return (...inputs) => apply(row, inputs, attrs);
}

/** Inputs the row has no rule for are constants of the check. */
function varies(row: Row<unknown>, index: number): boolean {
  return typeof row.vjp === 'function' || row.vjp === undefined || row.vjp[index] !== null;
}

for (const [name, sample] of Object.entries(SAMPLES)) {
  const row = ROWS[name];

  t.test(`${name}: gradients equal differences`, async (t) => {
    for (const [i, point] of sample.points.entries()) {
      const all = tensorsOf(point.inputs);
      const free = all.filter((_, index) => varies(row, index));
      const run = operation(row, point);
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
      const y = operation(row, edge)(...leaves);
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
        const run = operation(row, point);
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
  for (const [name, sample] of Object.entries(SAMPLES)) {
    const { surrogate } = ROWS[name];
    for (const point of sample.points) t.equal('surrogate' in point, surrogate !== undefined, name);
  }
});

t.test('every row is known by its own name, and backends may speed it up under no other', async (t) => {
  for (const [key, { name }] of Object.entries(ROWS)) t.equal(name, key);
  t.same(Object.keys(SAMPLES).sort(), Object.keys(ROWS).sort(), 'each has a sample');
});
