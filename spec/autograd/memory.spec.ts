import t from 'tap';
import { conv2d } from '../../lib/autograd/convolution.js';
import { add, matmul, mul, relu, reshape, square, sum } from '../../lib/autograd/ops.js';
import { maxPool2d } from '../../lib/autograd/pooling.js';
import { backward } from '../../lib/autograd/tape.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import { setBackend } from '../../lib/kernels/registry.js';
import { zeros } from '../../lib/tensor/create.js';
import { TapeError } from '../../lib/tensor/errors.js';
import { dispose, keep, memory, resetPeak, scope, unkeep } from '../../lib/tensor/storage.js';
import { arraysEqual } from '../helpers.js';

/** A backend of its own, so that nothing else shows in its accounts. */
const device = setBackend(createReferenceBackend());

function live(): { bytes: number; storages: number } {
  const { bytes, storages } = memory(device);
  return { bytes, storages };
}

const NOTHING = { bytes: 0, storages: 0 };

t.test('bytes and storages are counted; views cost nothing', async (t) => {
  const x = zeros([4, 5]);
  t.same(live(), { bytes: 80, storages: 1 });
  const y = reshape(x, [20]);
  t.equal(y.storage, x.storage);
  t.same(live(), { bytes: 80, storages: 1 });
  dispose(x);
  t.same(live(), NOTHING);
  dispose(y);
  t.same(live(), NOTHING, 'freeing twice is harmless');
});

t.test('scope frees what was made inside, but not what it returns', async (t) => {
  const y = scope(() => {
    const x = zeros([10]);
    return add(mul(x, 2), 1);
  });
  t.same(live(), { bytes: 40, storages: 1 });
  arraysEqual(t, await y.data(), new Array(10).fill(1), 'still there');
  const { pair, list } = scope(() => ({ pair: [zeros([1]), zeros([2])], list: { deep: zeros([3]) } }));
  t.same(live(), { bytes: 40 + 24, storages: 4 }, 'in arrays and objects');
  dispose(y, pair, list);
  t.same(live(), NOTHING);
});

t.test('scopes nest: what the inner returns belongs to the outer', async (t) => {
  scope(() => {
    const inner = scope(() => add(zeros([1]), 1));
    t.equal(live().storages, 1);
    t.equal(inner.size, 1);
  });
  t.same(live(), NOTHING);
});

t.test('scope frees when its work throws', async (t) => {
  t.throws(() =>
    scope(() => {
      add(zeros([5]), 1);
      throw new Error('on purpose');
    }),
  );
  t.same(live(), NOTHING);
  t.throws(() => scope(async () => zeros([1])), {
    name: 'TapeError',
    message: 'scope: the callback must not be async; await outside of it',
  });
  t.same(live(), NOTHING);
});

t.test('keep outlives every scope, unkeep hands back', async (t) => {
  const kept = scope(() => scope(() => ({ x: keep(zeros([3])) }))).x;
  t.same(live(), { bytes: 12, storages: 1 });
  scope(() => unkeep(kept).size);
  t.same(live(), NOTHING);
});

t.test('a freed tensor cannot be used', async (t) => {
  const x = zeros([2]);
  x.dispose();
  const message = 'storage: this tensor was freed; return it from its scope() or keep() it to use it later';
  t.throws(() => scope(() => add(x, 1)), { name: 'TapeError', message });
  await t.rejects(x.data(), { name: 'TapeError', message });
  t.same(live(), NOTHING, 'and the attempt costs nothing');
  const leaf = zeros([2]).withGrad();
  const loss = scope(() => sum(square(mul(leaf, 3))));
  t.throws(() => backward(loss), TapeError, 'neither can a tape whose values are gone');
  dispose(leaf, loss);
});

t.test('backward frees gradients that nothing needs any more', async (t) => {
  const x = zeros([1000]).withGrad();
  let y = mul(x, 2);
  for (let i = 0; i < 20; i++) y = relu(y);
  const loss = sum(y);
  const before = live().bytes;
  resetPeak(device);
  scope(() => backward(loss));
  const peak = memory(device).peakBytes - before;
  t.equal(live().bytes - before, 4000, 'the gradient of x remains');
  t.ok(peak <= 5 * 4000, `peak ${peak} bytes, not the 80 000 of all intermediate gradients`);
  t.same(x.grad?.shape, [1000]);
});

t.test('a thousand training steps of a small network leave memory flat', async (t) => {
  const image = keep(zeros([2, 1, 6, 6]));
  const kernel = keep(zeros([3, 1, 3, 3])).withGrad();
  const bias = keep(zeros([3])).withGrad();
  const weight = keep(zeros([12, 2])).withGrad();
  const leaves = [kernel, bias, weight];
  const levels = new Set<string>();
  for (let step = 0; step < 1000; step++) {
    scope(() => {
      const features = maxPool2d(relu(conv2d(image, kernel, bias)), { kernel: 2 });
      const y = matmul(reshape(features, [2, 12]), weight);
      backward(sum(square(add(y, 1))));
    });
    levels.add(JSON.stringify(live()));
    for (const leaf of leaves) {
      dispose(leaf.grad);
      leaf.grad = null;
    }
  }
  t.equal(levels.size, 1, `after every step the same: ${[...levels].slice(0, 3).join(' ')}`);
});
