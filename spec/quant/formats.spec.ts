import '../startReference.js';
import t from 'tap';
import { fakeQuantize } from '../../lib/autograd/quantize.js';
import { noGrad } from '../../lib/autograd/tape.js';
import { integerWeights } from '../../lib/deploy/integerWeights.js';
import type { AccumulatorBound } from '../../lib/kernels/fast.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { a2qWeights } from '../../lib/quant/a2qWeights.js';
import { a2q, a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { ActivationQuantizer, intActivation, uintActivation } from '../../lib/quant/activation.js';
import { QuantConv2d, QuantLinear } from '../../lib/quant/layers.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import { integers } from '../../lib/quant/quantTensor.js';
import { affine, affineLearned, type WeightQuantizerFactory } from '../../lib/quant/weightQuantizer.js';
import { full, tensor, zeros } from '../../lib/tensor/create.js';
import { QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { arraysEqual } from '../helpers.js';
import { backends } from '../nn/support.js';

/** float32 carries q·s for every s up to |q| = 2^23: signed formats of 24 bits, unsigned ones of 23. */

const METHODS: Readonly<Record<string, (bits: number) => WeightQuantizerFactory>> = {
  affine: (bits) => affine({ bits }),
  affineLearned: (bits) => affineLearned({ bits }),
  a2q: (bits) => a2q({ bits, accumulatorBits: 32 }),
  a2qPlus: (bits) => a2qPlus({ bits, accumulatorBits: 32 }),
};

const linear = (weight: WeightQuantizerFactory, length = 4, input = uintActivation({ bits: 4 })) =>
  new QuantLinear(length, 1, { weight, input, random: new Random(0) });

t.test('weight bits that float32 does not carry are refused by every quantizer', (t) => {
  for (const [name, make] of Object.entries(METHODS)) {
    for (const bits of [1, 2.5, 25, 28, 31, 32, 64, Number.NaN]) {
      t.throws(
        () => linear(make(bits)),
        new QuantError('WeightQuantizer', `weight bits M must be an integer from 2 to 24; got ${bits}`),
        `${name}, M = ${bits}`,
      );
    }
    for (const bits of [2, 16, 24]) t.doesNotThrow(() => linear(make(bits)), `${name}, M = ${bits}`);
  }
  t.end();
});

t.test('activation bits that float32 does not carry', (t) => {
  for (const bits of [0, 24, 25, 32]) {
    t.throws(() => uintActivation({ bits })(), {
      message: `ActivationQuantizer: activation bits N must be an integer from 1 to 23; got ${bits}`,
    });
  }
  for (const bits of [1, 25, 32]) {
    t.throws(() => intActivation({ bits })(), {
      message: `ActivationQuantizer: activation bits N must be an integer from 2 to 24; got ${bits}`,
    });
  }
  t.doesNotThrow(() => [uintActivation({ bits: 23 })(), intActivation({ bits: 24 })()]);
  for (const grid of [
    { low: 0, high: 2 ** 23 + 1 },
    { low: -(2 ** 24), high: 0 },
  ]) {
    t.throws(() => fakeQuantize(zeros([1]), full([], 1), grid), { name: 'QuantError', message: /exceeds ±2\^23/ });
  }
  for (const signed of [false, true]) {
    const of = (bits: number) => () => a2q({ bits: 4, accumulatorBits: 32 })(zeros([1, 2]), { bits, signed });
    t.throws(of(25), { name: 'QuantError', message: /input bits N/ });
    t.doesNotThrow(of(16));
  }
  const policy = { method: 'qat', random: new Random(0) } as const;
  t.throws(() => layerPolicy({ ...policy, weightBits: 25, actBits: 4 }), { message: /weight bits M/ });
  t.throws(() => layerPolicy({ ...policy, weightBits: 4, actBits: 25 }), { message: /activation bits N/ });
  t.end();
});

t.test('a channel of one weight has no mean to be freed of', (t) => {
  const input = uintActivation({ bits: 4 });
  const random = new Random(0);
  const refused = {
    name: 'QuantError',
    message: 'a2q+: a channel of one weight is its own mean and would be 0; use a2q for this layer',
  };
  t.throws(() => linear(METHODS['a2qPlus'](4), 1), refused);
  const depthwise = (weight: WeightQuantizerFactory) => new QuantConv2d(3, 3, 1, { groups: 3, weight, input, random });
  t.throws(() => depthwise(METHODS['a2qPlus'](4)), refused);
  t.doesNotThrow(() => depthwise(METHODS['a2q'](4)));
  t.end();
});

for (const { name, skip } of backends) {
  t.test(`the widest weights keep their integers and their range on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    for (const bits of [16, 23, 24]) {
      const Q = 2 ** (bits - 1) - 1;
      for (const [kind, make] of [
        ['affine', METHODS['affine']],
        ['affineLearned', METHODS['affineLearned']],
      ] as const) {
        // Largest magnitudes whose quotient by Q is rounded in ever other ways.
        for (const most of [1, 0.1, 1.9, 3e-3, 1.2345678, 7.77e8]) {
          const layer = linear(make(bits));
          const steps = [Q, -Q, Q - 1, 12345];
          layer.weight.write(Float32Array.from(steps, (q) => (q / Q) * most));
          layer.weightQuant.initialize(layer.weight);
          const { q } = await integerWeights('layer', layer);
          const label = `${kind}, M = ${bits}, max|w| = ${most}`;
          t.ok(Math.abs(q[0]) <= Q && q[0] === -q[1] && q[0] > 0.9999 * Q, `${label}: ${q[0]} of ${Q}`);
          arraysEqual(t, await integers(layer.quantWeight()).data(), q, `${label}, as a tensor`);
        }
      }
    }
  });

  t.test(`a bias of int32 is an int32 on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    const layer = new QuantLinear(2, 3, {
      weight: affineLearned({ bits: 8 }),
      input: uintActivation({ bits: 8, collectStatsSteps: 0 }),
      biasQuant: 'int32',
      random: new Random(0),
    });
    layer.inputQuant?.setThreshold(0.5);
    for (const scale of [1e-8, 3.3e-7, 1e30]) {
      layer.weight.write(new Float32Array(6).fill(scale));
      layer.weightQuant.initialize(layer.weight);
      for (const bias of [5, 1e30, 1e-3]) {
        layer.bias?.write(Float32Array.of(bias, -bias, 0));
        layer.eval();
        const y = await noGrad(() => layer.forward(zeros([1, 2]))).data();
        const [s] = await layer.quantWeight().scale.data();
        const step = s * (await layer.input.scale().item());
        const q = Array.from(y, (value) => Math.round(value / step));
        t.ok(q[0] <= 2 ** 31 - 1 && q[1] >= -(2 ** 31), `${bias} in steps of ${step}: ${q}`);
        t.equal(q[2], 0);
        if (bias / step < 2 ** 23) t.equal(q[0], Math.round(bias / step), 'what fits is rounded and kept');
        else if (bias / step > 2 ** 32) t.ok(Math.min(q[0], -q[1]) > 2 ** 31 - 2 ** 10, 'and what does not is clipped');
      }
    }
  });
}

t.test('a statistics scale that was rounded down does not lead out of the range', async (t) => {
  setBackend(backendNamed('wasm'));
  const random = new Random(3);
  const layer = linear(METHODS['affine'](24));
  for (let i = 0; i < 200; i++) {
    const w = random.uniform(0.5, 1);
    layer.weight.write(Float32Array.of(w, -w, 0, w / 2));
    const { q } = await integerWeights('layer', layer);
    t.ok(Math.abs(q[0]) <= 2 ** 23 - 1, `${w} becomes ${q[0]}`);
  }
});

t.test('a threshold fits what an activation quantizer gives', async (t) => {
  setBackend(backendNamed('wasm'));
  for (const [bits, signed] of [
    [23, false],
    [24, true],
  ] as const) {
    const quantizer = new ActivationQuantizer({ bits, signed, collectStatsSteps: 0 });
    quantizer.setThreshold(0.7);
    const { low, high } = quantizer.range;
    const y = await noGrad(() => quantizer.forward(tensor([9, -9, 0.123, 0.7]))).data();
    const s = await quantizer.scale().item();
    const q = Array.from(y, (value) => Math.round(value / s));
    t.same(q.slice(0, 2), [high, low]);
    arraysEqual(
      t,
      y,
      Float32Array.from(q, (each) => each * s),
      'on the grid',
    );
  }
});

t.test('a bound that says too little is refused', (t) => {
  const [w, vector] = [zeros([2, 3]), zeros([2])];
  const bound = { limit: 7, budget: 4, centred: false, accumulator: { bits: 8, low: 0, high: 15 } };
  t.doesNotThrow(() => a2qWeights(w, vector, vector, bound));
  for (const [change, message] of [
    [{ accumulator: undefined }, /the bound's accumulator must be an object/],
    [{ accumulator: { bits: 33, low: 0, high: 15 } }, /bits of the accumulator must be an integer of 1 … 32/],
    [{ accumulator: { bits: 8, low: 1, high: 15 } }, /its lowest input must be an integer/],
    [{ accumulator: { bits: 8, low: 0, high: Number.NaN } }, /its highest input must be an integer/],
    [{ limit: 2 ** 24 }, /limit must be an integer/],
    [{ budget: Number.NaN }, /budget must be a number/],
  ] as const) {
    t.throws(() => a2qWeights(w, vector, vector, { ...bound, ...change } as AccumulatorBound), {
      name: 'ArgumentError',
      message,
    });
  }
  t.end();
});
