import '../startReference.js';
import t from 'tap';
import { integerWeights } from '../../lib/deploy/integerWeights.js';
import type { Backend } from '../../lib/kernels/backend.js';
import { backendNamed, setBackend, startBackend } from '../../lib/kernels/registry.js';
import { loadWasmBackend } from '../../lib/kernels/wasm/index.js';
import { a2q, a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { intActivation, uintActivation } from '../../lib/quant/activation.js';
import { QuantLinear } from '../../lib/quant/layers.js';
import { BackendError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { type Attack, attack } from './guarantee.js';

/** Kernels of gpu.js are compiled anew for each shape, which bounds what is tried there. */
const BACKENDS: Readonly<Record<string, { start: () => Backend | Promise<Backend>; size: Omit<Attack, 'seed'> }>> = {
  'wasm, plain SIMD': { start: () => loadWasmBackend({ relaxedSimd: false }), size: { cases: 10_000, long: 4 } },
  'wasm, relaxed SIMD': { start: () => loadWasmBackend({ relaxedSimd: true }), size: { cases: 10_000, long: 4 } },
  reference: { start: () => backendNamed('reference'), size: { cases: 10_000, long: 1, weights: 10_000 } },
  'gpu:webasm': { start: () => startBackend('gpu:webasm'), size: { cases: 600, weights: 3000 } },
};

for (const [name, { start, size }] of Object.entries(BACKENDS)) {
  t.test(`no channel of ${size.cases} overflows its register on ${name}`, async (t) => {
    let backend: Backend;
    try {
      backend = await start();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      t.pass(name, { skip: error.message });
      return;
    }
    setBackend(backend);
    t.teardown(() => setBackend(backendNamed('wasm')));
    const { passed, refused, full, failures } = await attack({ seed: 1, ...size });
    t.same(failures.slice(0, 5), [], 'no failure');
    const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0);
    t.comment(`${passed} passed, ${full} of them with no room for one more; refused: ${JSON.stringify(refused)}`);
    t.equal(passed + refusals, size.cases);
    t.ok(passed > size.cases / 2, 'most are legal');
    t.ok(full > size.cases / 20, 'and many reach the edge');
  });
}

t.test('a budget with more digits than float32 has, spent to the last unit', async (t) => {
  t.teardown(() => setBackend(backendNamed('wasm')));
  for (const name of ['wasm', 'reference']) {
    setBackend(backendNamed(name));
    for (const [accumulatorBits, length] of [
      [26, 16],
      [28, 64],
      [32, 1024],
    ]) {
      const weight = a2q({ bits: 16, accumulatorBits });
      const options = { weight, input: intActivation({ bits: 8 }), bias: false, random: new Random(0) };
      const layer = new QuantLinear(length, 1, options);
      // All equal and −½: the quotients by the norm are powers of two, r = T is rounded up to 2^(P − N).
      layer.weight.write(new Float32Array(length).fill(-0.5));
      layer.weightQuant.initialize(layer.weight);
      const { q } = await integerWeights('layer', layer);
      const sum = q.reduce((total, each) => total + each, 0);
      t.ok(-128 * sum < 2 ** (accumulatorBits - 1), `P = ${accumulatorBits} on ${name}: −128 · ${sum} fits`);
      t.ok(-128 * (sum - 1) >= 2 ** (accumulatorBits - 1), 'and nothing was given away');
    }
  }
});

t.test('a NaN stays NaN in training, and becomes no integer', async (t) => {
  const input = uintActivation({ bits: 4 });
  for (const make of [a2q, a2qPlus]) {
    const weight = make({ bits: 4, accumulatorBits: 10 });
    const layer = new QuantLinear(20, 2, { weight, input, bias: false, random: new Random(0) });
    const w = await layer.weight.data();
    w[3] = Number.NaN;
    layer.weight.write(w as Float32Array<ArrayBuffer>);
    const value = await layer.quantWeight().value.data();
    t.ok(value.subarray(0, 20).every(Number.isNaN), 'the channel shows it');
    t.ok(value.subarray(20).every(Number.isFinite), 'the other one does not');
    await t.rejects(integerWeights('layer', layer), { name: 'QuantError', message: /the weights of layer/ });
  }
});
