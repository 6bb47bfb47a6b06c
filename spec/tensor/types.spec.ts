import '../startReference.js';
import t from 'tap';
import { add, cast, concat, mul, reshape, type Tensor, tensor, transpose, zeros } from '../../lib/index.js';
import { arraysEqual } from '../helpers.js';

t.test('data() has the type of its array, without a cast', async (t) => {
  const floats: Float32Array = await add(mul(tensor([1, 2]), 2), 1).data();
  arraysEqual(t, floats, [3, 5], 'what is computed is float32');
  const labels = tensor(Int32Array.of(3, 1, 2, 0), [2, 2]);
  const moved: Int32Array = await transpose(labels).reshape([4]).data();
  arraysEqual(t, moved, [3, 2, 1, 0], 'what is moved stays int32');
  const joined: Int32Array = await concat([reshape(labels, [4]), zeros([1], { dtype: 'int32' })]).data();
  arraysEqual(t, joined, [3, 1, 2, 0, 0], 'in lists too');
  const there: Float32Array = await add(cast(labels, 'float32'), 0.5).data();
  arraysEqual(t, there, [3.5, 1.5, 2.5, 0.5], 'cast leads to floats');
  const back: Int32Array = await cast(tensor([1.5]), 'int32').data();
  arraysEqual(t, back, [1], 'and back');
});

t.test('the compiler refuses integers where floats are wanted, as the library does', async (t) => {
  const labels = tensor(Int32Array.of(1));
  // @ts-expect-error: int32 is not computed with
  t.throws(() => add(labels, 1), { name: 'DTypeError' });
  // @ts-expect-error: int32 is not computed with
  const wrong: Tensor = labels;
  t.equal(wrong.dtype, 'int32');
});
