import t from 'tap';
import { largest, smallest } from '../../lib/tensor/extremes.js';

t.test('of more numbers than a call takes arguments', async (t) => {
  const values = Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 300_007);
  t.equal(largest(values), 300_006);
  t.equal(smallest(values), 0);
  t.equal(largest([-3, -1, -2]), -1);
  t.same([largest([]), smallest([])], [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  t.same([largest([1, Number.NaN]), smallest([Number.NaN, 1])], [Number.NaN, Number.NaN]);
});
