import fc from 'fast-check';
import t from 'tap';
import { createWasmBackend } from '../../../lib/kernels/wasm/index.js';
import { Storage, scope } from '../../../lib/tensor/storage.js';
import { contiguousView, type View } from '../../../lib/tensor/view.js';
import { kernelsOf } from '../kernels.js';

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
      const { kthSmallest, kthSmallestGrad } = kernelsOf(backend);
      const read = ({ storage }: View) => backend.host!(storage.handle, storage.length, 'float32');
      const [value] = read(kthSmallest(x, k));
      // The gradient goes to the first element of that rank, and nowhere else.
      const slopes = read(kthSmallestGrad(backend.fill([], 3, 'float32'), x, k));
      const index = slopes.indexOf(3);
      const first = data.findIndex((v) => v === want || Object.is(v, want));
      if (index !== first || slopes.some((slope, i) => i !== first && slope !== 0)) {
        throw new Error(`the gradient is at ${index}, not ${first}`);
      }
      if (!(value === want || Object.is(value, want))) {
        throw new Error(`${value}, not ${want}`);
      }
    });
  });
  fc.assert(property, { numRuns: 300, seed: 21 });
  t.equal(backend.describe().usedBytes, 0);
});
