import t from 'tap';
import '../../../lib/kernels/registry.js';
import { integerLayers } from '../../../lib/deploy/exchange/integerLayers.js';
import { Linear } from '../../../lib/nn/layers/linear.js';
import { Sequential } from '../../../lib/nn/layers/sequential.js';
import { a2q } from '../../../lib/quant/accumulatorAware.js';
import { QuantConv2d, QuantLinear, QuantReLU, QuantResizeConv2d } from '../../../lib/quant/layers.js';
import { affineLearned } from '../../../lib/quant/weightQuantizer.js';
import { QuantError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';

const random = new Random(0);

/** Unsigned inputs of 4 bits, 1/15 … 1. */
function input(): QuantReLU {
  const quantizer = new QuantReLU({ bits: 4 });
  quantizer.setThreshold(1);
  return quantizer;
}

t.test('weights leave as the integers they are worth, with the scales of their grids', async (t) => {
  const layer = new QuantLinear(3, 2, { weight: affineLearned({ bits: 3 }), input: input(), random });
  layer.weight.write(Float32Array.of(3, -1.6, 0.2, 0.5, 0.25, -0.75));
  layer.bias?.write(Float32Array.of(0.5, -2));
  layer.weightQuant.initialize(layer.weight);
  const [exported, ...rest] = await integerLayers(layer);
  t.equal(rest.length, 0);
  t.same([...exported.weights], [3, -2, 0, 2, 1, -3]);
  t.same(exported.weightScales, [1, 0.25]);
  t.match(exported, { name: '', shape: [2, 3], weightBits: 3, input: { bits: 4, signed: false }, geometry: null });
  t.equal(exported.inputScale, Math.fround(1 / 15));
  t.equal(exported.accumulatorBits, null);
  t.same(exported.bias, [0.5, -2]);
});

t.test('convolutions tell their geometry and the accumulator they were made for', async (t) => {
  const source = input();
  const given = { weight: a2q({ bits: 4, accumulatorBits: 12 }), input: source, bias: false, random };
  const conv = new QuantConv2d(4, 6, 3, { ...given, stride: 2, padding: 1, groups: 2 });
  const resized = new QuantResizeConv2d(6, 3, 3, 2, given);
  const [first, second] = await integerLayers(new Sequential(source, conv, resized));
  const one = [1, 1];
  t.match(first, { name: '1', shape: [6, 2, 3, 3], accumulatorBits: 12, bias: null });
  t.same(first.geometry, { stride: [2, 2], padding: one, dilation: one, groups: 2, resize: 1 });
  t.same(second.geometry, { stride: one, padding: one, dilation: one, groups: 1, resize: 2 });
});

t.test('a model without integers is refused', async (t) => {
  await t.rejects(integerLayers(new Linear(2, 2, { random })), QuantError);
});

t.test('inputs without a scale are refused', async (t) => {
  const source = input();
  const layer = new QuantLinear(2, 1, { weight: affineLearned({ bits: 4 }), input: source, random });
  source.value.write(Float32Array.of(Number.NaN));
  await t.rejects(integerLayers(new Sequential(source, layer)), {
    name: 'QuantError',
    message: /the scale of the inputs of 1 is NaN/,
  });
});
