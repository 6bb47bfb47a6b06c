import t from 'tap';
import { noGrad } from '../../lib/autograd/tape.js';
import { currentBackend } from '../../lib/kernels/registry.js';
import { explain } from '../../lib/kernels/trace.js';
import { SGD } from '../../lib/nn/optim/sgd.js';
import { a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { uintActivation } from '../../lib/quant/activation.js';
import { QuantConv2d, QuantLinear } from '../../lib/quant/layers.js';
import { affine, affineLearned } from '../../lib/quant/weightQuantizer.js';
import { tensor, uniform } from '../../lib/tensor/create.js';
import { QuantError, ShapeError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { memory, scope } from '../../lib/tensor/storage.js';

const random = new Random(1);
const input = uintActivation({ bits: 4 });

function linear(weight = affine({ bits: 4 })): QuantLinear {
  return new QuantLinear(2, 2, { weight, input, bias: false, random }).eval() as QuantLinear;
}

t.test('a frozen layer computes with the integers it was given', async (t) => {
  const layer = linear();
  const own = await layer.quantWeight().value.data();
  t.equal(layer.frozen, false);
  layer.freeze([7, -2, 0, 1], [0.5, 2]);
  t.equal(layer.frozen, true);
  const { value, scale, bits, signed } = layer.quantWeight();
  t.same(await value.toArray(), [
    [3.5, -1],
    [0, 2],
  ]);
  t.same([scale.shape, [...(await scale.data())], bits, signed], [[2, 1], [0.5, 2], 4, true]);
  layer.input.setThreshold(15);
  t.same(await noGrad(() => layer.forward(tensor([[1, 2]]))).toArray(), [[1.5, 4]]);
  layer.unfreeze();
  t.same(await layer.quantWeight().value.data(), own);
});

t.test('integers that are not the layer’s are refused', async (t) => {
  const layer = linear();
  t.throws(() => layer.freeze([1, 2, 3], [1, 1]), ShapeError);
  t.throws(() => layer.freeze([1, 2, 3, 4], [1]), ShapeError);
  t.throws(() => layer.freeze([1, 2, 3, 8], [1, 1]), { message: /weight 3 is 8, no integer of 4 bits/ });
  t.throws(() => layer.freeze([1, 0.5, 3, 4], [1, 1]), { message: /weight 1 is 0\.5/ });
  t.throws(() => layer.freeze([1, Number.NaN, 3, 4], [1, 1]), QuantError);
  for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => layer.freeze([1, 2, 3, 4], [1, scale]), { message: /the scale of channel 1 is/ });
  }
  t.equal(layer.frozen, false);
});

t.test('stale integers are refused, and so is training with frozen ones', async (t) => {
  const changes: [string, (layer: QuantLinear) => void][] = [
    ['written', (layer) => layer.weight.write(Float32Array.of(1, 2, 3, 4))],
    [
      'assigned',
      (layer) =>
        layer.weight.assign(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
    ],
    [
      'loaded',
      (layer) =>
        void layer.loadStateDict(new Map([['weight', { shape: [2, 2], data: new Float32Array(4) }]]), {
          partial: true,
        }),
    ],
    ['quantized otherwise', (layer) => layer.weightQuant.initialize(layer.weight)],
    [
      'stepped',
      (layer) => {
        layer.weight.grad = tensor([
          [1, 1],
          [1, 1],
        ]);
        new SGD([layer.weight], { learningRate: 0.1 }).step();
      },
    ],
  ];
  for (const [what, change] of changes) {
    const layer = linear(affineLearned({ bits: 4 }));
    layer.freeze([7, -2, 0, 1], [0.5, 2]);
    layer.quantWeight();
    change(layer);
    t.throws(
      () => layer.quantWeight(),
      { name: 'QuantError', message: /have changed since .* unfreeze\(\) the layer/ },
      what,
    );
    layer.unfreeze();
    t.doesNotThrow(() => layer.quantWeight());
  }
  const layer = linear();
  layer.freeze([7, -2, 0, 1], [0.5, 2]);
  layer.train();
  t.throws(() => layer.forward(tensor([[1, 2]])), { message: /frozen; unfreeze\(\) it before training/ });
});

t.test('frozen to its own integers, a layer gives the same bits by the same kernels', async (t) => {
  for (const weight of [a2qPlus({ bits: 4, accumulatorBits: 12 }), affineLearned({ bits: 4 })]) {
    const conv = new QuantConv2d(4, 6, 3, { weight, input, bias: false, random }).eval() as QuantConv2d;
    const x = uniform([2, 4, 8, 8], random);
    const forward = () => noGrad(() => explain(() => conv.forward(x)));
    const before = forward();
    const { value, scale } = conv.quantWeight();
    const [w, s] = await Promise.all([value.data(), scale.data()]);
    conv.freeze(
      Array.from(w, (each, i) => Math.round(each / s[Math.floor(i / 36)])),
      s,
    );
    const after = forward();
    t.same(await after.result.data(), await before.result.data());
    const algorithm = ({ calls }: typeof before) => calls.find(({ row }) => row === 'conv2d')?.algorithm;
    t.equal(algorithm(after), algorithm(before));
    const bytes = memory(currentBackend()).bytes;
    scope(() => void forward());
    t.equal(memory(currentBackend()).bytes, bytes, 'no memory is held');
  }
});
