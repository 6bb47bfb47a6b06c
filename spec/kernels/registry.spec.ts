import t from 'tap';
import type { Backend } from '../../lib/kernels/backend.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import {
  BACKEND_NAMES,
  backendNamed,
  currentBackend,
  describeBackend,
  setBackend,
  startBackend,
} from '../../lib/kernels/registry.js';
import { currentDevice } from '../../lib/tensor/current.js';
import { BackendError } from '../../lib/tensor/errors.js';

t.test('the first use picks a backend and says why', (t) => {
  const { name, why, refused } = describeBackend();
  t.equal(name, currentBackend().name);
  t.equal(currentDevice(), currentBackend(), 'new tensors are made on it');
  if (refused.length === 0) {
    t.equal(name, BACKEND_NAMES[0], 'the preferred one');
    t.equal(why, 'preferred by default');
  } else {
    t.equal(refused[0].name, BACKEND_NAMES[0], 'what was preferred and cannot run is named, with its reason');
    t.not(refused[0].why, '');
  }
  t.equal(BACKEND_NAMES.at(-1), 'reference', 'the one that runs anywhere comes last');
  t.end();
});

t.test('a backend is started once', async (t) => {
  const reference = await startBackend('reference');
  t.equal(reference.name, 'reference');
  t.equal(await startBackend('reference'), reference);
  const refusal = `backend: there is no 'abacus'; choose one of ${BACKEND_NAMES.join(', ')}`;
  t.throws(() => backendNamed('abacus'), new BackendError('backend', refusal.slice('backend: '.length)));
  t.end();
});

t.test('setBackend decides where tensors are made', (t) => {
  const earlier = currentBackend();
  const mine = createReferenceBackend();
  t.equal(setBackend(mine), mine, 'the same object');
  t.equal(currentBackend(), mine);
  t.equal(currentDevice(), mine);
  t.same(describeBackend(), { name: 'reference', why: 'set by setBackend', refused: [] });
  t.equal(currentBackend().fill([2], 1, 'float32').storage.device, mine, 'storages name it as their device');
  setBackend(earlier);
  t.throws(() => setBackend(undefined as unknown as Backend), BackendError);
  const { name, dtypes } = mine;
  const { alloc, upload, read, free, fill, copy, copyInto, unary, binary, where, reduce } = mine;
  const half = { name, dtypes, alloc, upload, read, free, fill, copy, copyInto, unary, binary, where, reduce };
  t.throws(() => setBackend(half as unknown as Backend), {
    name: 'BackendError',
    message: 'setBackend: this is no backend: it lacks matmul, im2col, col2im',
  });
  t.equal(currentBackend(), earlier, 'which stays');
  t.end();
});
