import t from 'tap';
import { fakeQuantize } from '../../lib/autograd/quantize.js';
import { f64 } from './support.js';

t.test('what fakeQuantize refuses', async (t) => {
  const zeros = (...shape: number[]) => f64(new Array(shape.reduce((a, b) => a * b, 1)).fill(0), shape);
  const cases: [work: () => unknown, message: string][] = [
    [
      () => fakeQuantize(zeros(2), zeros(2), { low: 0, high: 3 }),
      'fakeQuantize: the scale of an activation is one number; got [2] and [2]',
    ],
  ];
  for (const [work, message] of cases) t.throws(work, { name: 'ShapeError', message });
  t.throws(() => fakeQuantize(zeros(2), zeros(), { low: 3, high: 3 }), {
    name: 'QuantError',
    message: 'fakeQuantize: the grid 3 … 3 is not an ascending pair of integers',
  });
});
