import t from 'tap';
import '../../../lib/index.js';
import { kernelBinary } from '../../../lib/kernels/wasm/binaries.js';
import { offer } from '../../../lib/kernels/wasm/fast.js';
import { whyNoHelpers } from '../../../lib/kernels/wasm/helper.js';
import { createWasmBackend, loadWasmBackend } from '../../../lib/kernels/wasm/index.js';

t.test('with the whole package, the backend has every fast path', async (t) => {
  t.same(Object.keys(createWasmBackend().fast ?? {}).sort(), [
    ...['a2qPenalty', 'a2qWeights', 'adam', 'batchNorm', 'batchNormQuantize', 'blend', 'conv2d', 'dequantize'],
    ...['fakeQuantize', 'kthSmallest', 'maxPool2d', 'powerScale', 'sgd', 'upsampleNearest'],
  ]);
});

t.test('a fast path that comes late joins the backends that run', async (t) => {
  const early = createWasmBackend();
  t.equal(early.fast?.sgd?.([], {} as never), true, 'nothing to do is done');
  offer(() => ({ sgd: () => null }));
  const late = createWasmBackend();
  t.equal(early.fast?.sgd?.([], {} as never), null);
  t.equal(late.fast?.sgd?.([], {} as never), null);
});

t.test('the relaxed binary is made of the plain one, and differs', async (t) => {
  const [plain, relaxed] = [kernelBinary('plain', true), kernelBinary('relaxed', true)];
  t.ok(WebAssembly.validate(plain));
  t.notOk(Buffer.from(plain).equals(relaxed));
  t.same([...relaxed.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], 'a module');
  t.ok(WebAssembly.validate(kernelBinary('plain', false)), 'also on memory that is not shared');
});

t.test('who gets fewer threads than asked for is told why', async (t) => {
  const team = await loadWasmBackend({ threads: 3 });
  t.match(team.describe(), { threads: 3, threadsWanted: 3, whyFewerThreads: null });
  team.close();
  const shared = globalThis.SharedArrayBuffer;
  const warnings = t.capture(console, 'warn');
  t.teardown(() => Object.assign(globalThis, { SharedArrayBuffer: shared }));
  Object.assign(globalThis, { SharedArrayBuffer: undefined });
  t.match(whyNoHelpers(), /cross-origin isolated/);
  const { threads, threadsWanted, whyFewerThreads } = (await loadWasmBackend({ threads: 3 })).describe();
  t.same([threads, threadsWanted, whyFewerThreads], [1, 3, whyNoHelpers()]);
  await Promise.resolve();
  t.match(warnings(), [{ args: [/^a2q\.js runs on 1 of 3 threads: memory cannot be shared/] }]);
});
