import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { defineFunction } from '../../lib/autograd/define.js';
import { exp, floor, matmul, mul, relu, square, tanh } from '../../lib/autograd/ops.js';
import { tensor } from '../../lib/tensor/create.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { f64 } from './support.js';

/** x², with a gradient that is wrong by the given factor. */
function wrongSquare(factor: number) {
  return defineFunction({
    name: 'wrongSquare',
    forward: (x: Tensor) => square(x),
    vjp: (g, [x]) => [mul(g, mul(x, 2 * factor))],
  });
}

t.test('right gradients pass, and the error is reported', async (t) => {
  const report = await checkGrads((a, b) => tanh(matmul(a, b)), [f64([[0.3, -2]]), f64([[1], [0.5]])]);
  t.equal(report.directions, 3);
  t.ok(report.error >= 0 && report.error < 1e-7);
  t.equal((await checkGrads((x) => exp(x), [f64([0.1])], { directions: 7 })).directions, 7);
});

t.test('wrong gradients fail, and both numbers are named', async (t) => {
  await t.rejects(checkGrads(wrongSquare(2), [f64([1, 2])]), {
    name: 'TapeError',
    message:
      /^checkGrads: direction 0: backward gives .*, differences give .* \(relative error .* > 1e-7\); inputs \[2\]$/,
  });
  await t.rejects(checkGrads(wrongSquare(1 + 1e-5), [f64([1, 2])]), { name: 'TapeError' }, 'by a hair');
  await t.rejects(checkGrads(wrongSquare(Number.NaN), [f64([1, 2])]), { name: 'TapeError' }, 'not a number');
  await t.rejects(checkGrads(wrongSquare(0), [f64([1, 2])]), { name: 'TapeError' }, 'nothing');
});

t.test('one wrong element among many fails', async (t) => {
  const mask = f64([1, 1, 1, 1, 1, 1, 1, 1.001]);
  const oneWrong = defineFunction({
    name: 'oneWrong',
    forward: (x: Tensor) => square(x),
    vjp: (g, [x]) => [mul(mul(g, mul(x, 2)), mask)],
  });
  await t.rejects(checkGrads(oneWrong, [f64([1, 2, 3, 4, 5, 6, 7, 8])]), { name: 'TapeError' });
});

t.test('a missing gradient fails, a constant result passes', async (t) => {
  await t.rejects(
    checkGrads((x) => mul(square(x.detach()), 2), [f64([1, 2])]),
    { name: 'TapeError' },
  );
  t.equal((await checkGrads((x) => mul(x.detach(), 0), [f64([1, 2])])).error, 0);
});

t.test('kinks are where differences lie; rounding needs a surrogate', async (t) => {
  await t.rejects(
    checkGrads((x) => relu(x), [f64([0])]),
    { name: 'TapeError' },
  );
  await t.rejects(
    checkGrads((x) => floor(x), [f64([0.5])]),
    { name: 'TapeError' },
  );
  t.ok((await checkGrads((x) => floor(x), [f64([0.5])], { surrogate: () => (x) => x })).error < 1e-7);
});

t.test('the surrogate is given the point', async (t) => {
  const at = f64([2.5]);
  const frozen = defineFunction({
    name: 'frozen',
    forward: (x: Tensor) => square(x),
    vjp: (g, [x]) => [mul(g, x)],
  });
  const { error } = await checkGrads(frozen, [at], {
    surrogate:
      ([point]) =>
      (x) =>
        mul(x, point),
  });
  t.ok(error < 1e-7);
});

t.test('only float64 can be checked', async (t) => {
  await t.rejects(
    checkGrads((x) => exp(x), [tensor([1])]),
    {
      name: 'TapeError',
      message: 'checkGrads: inputs must be float64, on the reference backend; got Tensor(float32 [1] on reference)',
    },
  );
});

t.test('the inputs keep their state', async (t) => {
  const x = f64([1, 2]);
  await checkGrads((value) => exp(value), [x]);
  t.notOk(x.requiresGrad);
  t.equal(x.grad, null);
});
