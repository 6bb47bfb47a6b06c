import t from 'tap';
import { packError, unpackError } from '../../../lib/data/worker/protocol.js';
import { A2QError, DataError, ShapeError } from '../../../lib/tensor/errors.js';

function travel(error: unknown): unknown {
  return unpackError(structuredClone(packError(error)));
}

t.test('errors of ours keep class, message, fields and stack', async (t) => {
  const data = new DataError('jpeg', 'a.jpg: truncated');
  const arrived = travel(data) as DataError;
  t.ok(arrived instanceof DataError && arrived instanceof A2QError);
  t.same([arrived.name, arrived.op, arrived.message], ['DataError', 'jpeg', 'jpeg: a.jpg: truncated']);
  t.equal(arrived.stack, data.stack);
  t.notOk('cause' in arrived);

  const shape = travel(new ShapeError('matmul', 'inner dimensions differ', [[2, 3], [4]])) as ShapeError;
  t.ok(shape instanceof ShapeError);
  t.equal(shape.message, 'matmul: inner dimensions differ; got [2, 3] and [4]');
  t.same(shape.shapes, [[2, 3], [4]]);
});

t.test('other errors keep what cloning keeps', async (t) => {
  t.match(travel(new RangeError('too long')), { name: 'RangeError', message: 'too long' });
  t.ok(travel(new RangeError('too long')) instanceof RangeError);
  t.equal(travel(12), '12');
});
