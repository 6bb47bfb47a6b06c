import type { Test } from 'tap';
import type { Backend } from '../../../lib/kernels/backend.js';
import { DTypeError } from '../../../lib/tensor/errors.js';
import { type DType, hostArray, memory, Storage } from '../../../lib/tensor/storage.js';
import { arraysEqual } from '../../helpers.js';
import { LENGTHS } from './layouts.js';

const ALL_DTYPES: readonly DType[] = ['float32', 'float64', 'int32'];

/** The memory half of a backend: blocks keep what was put into them, reads are copies, frees are counted. */
export async function deviceConformance(t: Test, backend: Backend): Promise<void> {
  for (const dtype of backend.dtypes) {
    await t.test(`${dtype} blocks hold what was uploaded`, async (t) => {
      const before = { ...memory(backend) };
      for (const n of [...LENGTHS, 1000]) {
        const data = hostArray(dtype, n).map((_, i) => (i % 2 ? -i : i * 3.7)) as ReturnType<typeof hostArray>;
        const storage = Storage.alloc(backend, n, dtype, data);
        const copy = await backend.read(storage.handle, n, dtype);
        t.equal(copy.constructor, data.constructor, 'the copy has the dtype');
        arraysEqual(t, copy, data, `${n} numbers`);
        copy.fill(1);
        arraysEqual(t, await backend.read(storage.handle, n, dtype), data, 'writing to the copy changes nothing');
        storage.write(data.map((x) => -x) as typeof data);
        arraysEqual(
          t,
          await backend.read(storage.handle, n, dtype),
          data.map((x) => -x),
          'overwritten',
        );
        const host = backend.host?.(storage.handle, n, dtype);
        if (host)
          arraysEqual(
            t,
            host,
            data.map((x) => -x),
            'the block itself',
          );
        storage.dispose();
      }
      t.equal(memory(backend).bytes, before.bytes, 'all bytes are free again');
      t.equal(memory(backend).storages, before.storages, 'all blocks are free again');
    });
  }

  await t.test('blocks do not overlap, in whatever order they are freed', async (t) => {
    const dtype = backend.dtypes[0];
    const live: { storage: Storage; tag: number }[] = [];
    for (let i = 0; i < 200; i++) {
      const n = (i * 7919) % 97;
      live.push({ storage: Storage.alloc(backend, n, dtype, hostArray(dtype, n).fill(i)), tag: i });
      if (i % 3 === 2) live.splice((i * 31) % live.length, 1)[0].storage.dispose();
    }
    let intact = 0;
    for (const { storage, tag } of live) {
      const data = await backend.read(storage.handle, storage.length, dtype);
      if ([...data].every((x) => x === tag)) intact++;
      storage.dispose();
    }
    t.equal(intact, live.length, 'every block still holds its own number');
  });

  await t.test('the name and the dtypes are told', async (t) => {
    t.match(backend.name, /^[a-z]/);
    for (const dtype of ALL_DTYPES.filter((each) => !backend.dtypes.includes(each))) {
      t.throws(() => Storage.alloc(backend, 1, dtype), DTypeError, `${dtype} is refused`);
    }
  });
}
