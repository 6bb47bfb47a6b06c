import '../startReference.js';
import t from 'tap';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { Sequential, UpsampleNearest } from '../../lib/nn/index.js';
import { a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { QuantConv2d, QuantResizeConv2d } from '../../lib/quant/layers.js';
import { affine } from '../../lib/quant/weightQuantizer.js';
import { Random } from '../../lib/tensor/random.js';
import { closeTo } from '../helpers.js';
import { backends, gradients, randomTensor } from '../nn/support.js';

/**
 * A resize convolution, and the convolution behind an up-sampling that it stands for, with the same numbers in both.
 */
function twins(kernel: number, factor: number) {
  const act = new ActivationQuantizer({ bits: 4, signed: false });
  act.setThreshold(1.5);
  const options = { weight: a2qPlus({ bits: 4, accumulatorBits: 12 }), input: act, biasQuant: 'int32' } as const;
  const one = new QuantResizeConv2d(3, 5, kernel, factor, { ...options, random: new Random(4) });
  const padding = (kernel - 1) / 2;
  const other = new QuantConv2d(3, 5, kernel, { ...options, padding, random: new Random(4) });
  return { act, one, other: new Sequential(new UpsampleNearest(factor), other), conv: other };
}

for (const { name, skip } of backends) {
  t.test(`a quantized resize convolution is the convolution of the resized image on ${name}`, { skip }, async (t) => {
    setBackend(backendNamed(name));
    for (const [kernel, factor] of [
      [3, 2],
      [3, 3],
      [5, 2],
      [1, 4],
    ]) {
      const { act, one, other, conv } = twins(kernel, factor);
      const results = [];
      for (const layer of [one, other]) {
        const x = randomTensor([2, 3, 4, 5], 1).withGrad();
        const y = layer.forward(act.forward(x));
        const leaves = [x, ...layer.parameters()];
        results.push({
          shape: y.shape,
          y: await y.data(),
          grads: await gradients(y, randomTensor(y.shape, 2), leaves),
        });
      }
      const [got, want] = results;
      const label = `${kernel} × ${kernel}, × ${factor}`;
      t.same(got.shape, [2, 5, 4 * factor, 5 * factor], label);
      closeTo(t, got.y, want.y, 1e-5, label);
      t.equal(got.grads.length, 5, 'x, w, b, d and t');
      for (const [i, grad] of got.grads.entries()) closeTo(t, grad, want.grads[i], 1e-5, `${label}: gradient ${i}`);
      t.equal(one.dotLength, conv.dotLength, 'of its own weights');
      t.same([...(await one.stateDict()).keys()], [...(await conv.stateDict()).keys()], 'names as in a convolution');
    }
  });
}

t.test('what a quantized resize convolution refuses', (t) => {
  const act = new ActivationQuantizer({ bits: 4, signed: false });
  const options = { weight: a2qPlus({ bits: 4, accumulatorBits: 12 }), input: act, random: new Random(0) };
  const make = (kernel: number, factor: number) => () => new QuantResizeConv2d(3, 5, kernel, factor, options);
  const refusals: [work: () => unknown, message: string][] = [
    [make(2, 2), 'QuantResizeConv2d: the kernel must be odd; it is 2'],
    [make(3, 0), 'QuantResizeConv2d: factor must be a positive integer; it is 0'],
    [make(3, 1.5), 'QuantResizeConv2d: factor must be a positive integer; it is 1.5'],
  ];
  for (const [work, message] of refusals) t.throws(work, { name: 'ShapeError', message });
  t.end();
});

t.test('a quantized convolution wants groups that divide its channels', (t) => {
  const input = new ActivationQuantizer({ bits: 4, signed: false });
  const make = (groups: number) =>
    new QuantConv2d(3, 4, 3, { weight: affine({ bits: 4 }), input, groups, random: new Random(0) });
  for (const [groups, message] of [
    [2, 'QuantConv2d: 3 → 4 channels are not divisible by groups = 2'],
    [0, 'QuantConv2d: groups must be a positive integer; it is 0'],
    [1.5, 'QuantConv2d: groups must be a positive integer; it is 1.5'],
  ] as const) {
    t.throws(() => make(groups), { name: 'ShapeError', message });
  }
  t.end();
});

t.test('names of options that are none are refused', async (t) => {
  const weight = affine({ bits: 4 });
  const input = () => new ActivationQuantizer({ bits: 4, signed: false });
  const layer = { weight, input, biasQuant: 'int31' as 'int32', random: new Random(0) };
  t.throws(() => new QuantConv2d(3, 5, 3, layer), {
    name: 'ArgumentError',
    message: /'float' or 'int32'; got 'int31'/,
  });
  const quantizer = { bits: 4, signed: false, domain: 'Log' as 'log' };
  t.throws(() => new ActivationQuantizer(quantizer), {
    name: 'ArgumentError',
    message: /'log' or 'linear'; got 'Log'/,
  });
});
