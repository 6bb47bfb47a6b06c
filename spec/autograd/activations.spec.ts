import t, { type Test } from 'tap';
import { logSoftmax } from '../../lib/autograd/activations.js';
import { checkGrads } from '../../lib/autograd/check.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { numberArray } from '../oracle.js';
import { between, f64, tensorsOf } from './support.js';

/** Checks the gradients of a composed function at ordinary points. */
async function checked(t: Test, fn: (...x: Tensor[]) => Tensor, inputs: Tensor[]): Promise<void> {
  const { error } = await checkGrads(fn, inputs);
  t.ok(error <= 1e-7, `gradients, relative error ${error.toExponential(1)}`);
}

t.test('logSoftmax neither overflows nor loses small probabilities', async (t) => {
  const y = logSoftmax(f64([[1000, 0, -1000]]));
  arraysEqual(t, await y.data(), [0, -1000, -2000], 'huge logits');
  const x = between(-3, 3, [3, 5]);
  const want = numberArray([3, 5], x.data).data.map((value, i) => {
    const row = x.data.slice(Math.floor(i / 5) * 5, Math.floor(i / 5) * 5 + 5);
    return Math.log(Math.exp(value) / row.reduce((total, v) => total + Math.exp(v), 0));
  });
  closeTo(t, await logSoftmax(tensorsOf([x])[0]).data(), want, 1e-14, 'as defined');
  await checked(t, (v) => logSoftmax(v), tensorsOf([x]));
  await checked(t, (v) => logSoftmax(v, 0), tensorsOf([x]));
});
