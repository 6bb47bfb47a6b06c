import t from 'tap';
import type { BackendImplementation, FusedKernels } from '../../lib/kernels/backend.js';
import { completeBackend, defaults } from '../../lib/kernels/defaults.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import {
  BACKEND_NAMES,
  backendNamed,
  currentBackend,
  describeBackend,
  setBackend,
} from '../../lib/kernels/registry.js';
import { currentDevice } from '../../lib/tensor/current.js';
import { BackendError } from '../../lib/tensor/errors.js';
import { Storage } from '../../lib/tensor/storage.js';
import { contiguousView } from '../../lib/tensor/view.js';

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

t.test('backendNamed starts a backend once', (t) => {
  const reference = backendNamed('reference');
  t.equal(reference.name, 'reference');
  t.equal(backendNamed('reference'), reference);
  const refusal = `backend: there is no 'abacus'; choose one of ${BACKEND_NAMES.join(', ')}`;
  t.throws(() => backendNamed('abacus'), new BackendError('backend', refusal.slice('backend: '.length)));
  t.end();
});

t.test('setBackend decides where tensors are made', (t) => {
  const earlier = currentBackend();
  const mine = createReferenceBackend();
  t.equal(setBackend(mine), mine, 'the same object, completed');
  t.equal(currentBackend(), mine);
  t.equal(currentDevice(), mine);
  t.same(describeBackend(), { name: 'reference', why: 'set by setBackend', refused: [] });
  t.equal(currentBackend().fill([2], 1, 'float32').storage.device, mine, 'storages name it as their device');
  setBackend(earlier);
  t.end();
});

t.test('completeBackend adds what is missing and keeps what is there', (t) => {
  const fused = Object.keys(defaults(createReferenceBackend())) as (keyof FusedKernels)[];
  t.equal(fused.length, 29);
  const own = createReferenceBackend();
  const answer = contiguousView(Storage.alloc(own, 1, 'float32', Float32Array.of(42)), [1]);
  const implementation: BackendImplementation = Object.assign(own, { upsampleNearest: () => answer });
  const complete = completeBackend(implementation);
  t.equal(complete, implementation, 'the same object');
  t.equal(complete.upsampleNearest(answer, 2), answer, 'its own kernel stays');
  for (const name of fused) t.type(complete[name], 'function', name);
  const { conv2d } = complete;
  const x = complete.fill([1, 1, 2, 2], 3, 'float32');
  const geometry = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } as const;
  const y = conv2d(x, complete.fill([1, 1, 2, 2], 1, 'float32'), geometry);
  t.same([...(own.host?.(y.storage.handle, 1, 'float32') ?? [])], [12], 'a default needs no this');
  t.equal(y.storage.device, complete);
  t.end();
});
