import fc from 'fast-check';
import t from 'tap';
import { createWasmBackend } from '../../../lib/kernels/wasm/index.js';
import { Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';

t.test('the k-th smallest of anything, NaN the largest and zeros alike', async (t) => {
  const backend = createWasmBackend();
  const number = fc.oneof(
    fc.float({ noNaN: true }),
    fc.constantFrom(Number.NaN, 0, -0, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  );
  const order = (a: number, b: number) => (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0) || a - b || 0;
  const property = fc.property(fc.array(number, { minLength: 1, maxLength: 300 }), fc.nat(), (few, draw) => {
    // Some of them thousands of times over: the selection then goes another way.
    const data = Float32Array.from(
      { length: draw % 3 === 0 ? few.length * 20 : few.length },
      (_, i) => few[i % few.length],
    );
    const k = 1 + (draw % data.length);
    const want = [...data].sort(order)[k - 1];
    scope(() => {
      const x = contiguousView(Storage.alloc(backend, data.length, 'float32', data), [data.length]);
      const { value, index } = backend.kthSmallest!(x, k);
      const read = ({ storage }: View) => backend.host!(storage.handle, 1, 'float32')[0];
      const first = data.findIndex((v) => v === want || Object.is(v, want));
      if (read(index) !== first || !(read(value) === want || Object.is(read(value), want))) {
        throw new Error(`${read(value)} at ${read(index)}, not ${want} at ${first}`);
      }
    });
  });
  fc.assert(property, { numRuns: 300, seed: 21 });
  t.equal(backend.describe().usedBytes, 0);
});
