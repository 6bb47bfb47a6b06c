import '../startReference.js';
import t from 'tap';
import { checkGrads } from '../../lib/autograd/check.js';
import { mul, sum } from '../../lib/autograd/ops.js';
import { backward } from '../../lib/autograd/tape.js';
import { integerWeights } from '../../lib/deploy/integerWeights.js';
import { startBackend } from '../../lib/kernels/registry.js';
import { SmallCnn } from '../../lib/nn/models/smallCnn.js';
import { testAccumulator } from '../../lib/quant/accumulator.js';
import { AccumulatorAwareQuantizer } from '../../lib/quant/accumulatorAware.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { inputRange } from '../../lib/quant/integerRange.js';
import { quantLayers } from '../../lib/quant/layers.js';
import { METHOD_NAMES } from '../../lib/quant/methods.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import { powerOfTwoScale } from '../../lib/quant/powerOfTwo.js';
import { affine } from '../../lib/quant/weightQuantizer.js';
import { normal, tensor, zeros } from '../../lib/tensor/create.js';
import { ArgumentError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';

const isPower = (value: number) => Number.isInteger(Math.log2(value)) && 2 ** Math.log2(value) === value;

t.test('scales are rounded up to the least power of two', async (t) => {
  const below = Math.fround(1 - 2 ** -24);
  const above = Math.fround(1 + 2 ** -23);
  const s = [0.3, 0.5, 5, 1, below, above, 2 ** -33, 2 ** 40, 3 * 2 ** 20];
  const wanted = [0.5, 0.5, 8, 1, 1, 2, 2 ** -33, 2 ** 40, 2 ** 22];
  t.same(await powerOfTwoScale(tensor(s)).toArray(), wanted);
  t.throws(() => powerOfTwoScale(3 as never), ArgumentError);
});

t.test('its gradient has slope 1 on the logarithm', async (t) => {
  const s = tensor([0.3, 0.5, 5]).withGrad();
  backward(sum(mul(powerOfTwoScale(s), tensor([1, 1, 2]))));
  const grads = (await s.grad?.toArray()) as number[];
  for (const [i, wanted] of [0.5 / 0.3, 1, 16 / 5].entries()) t.ok(Math.abs(grads[i] - wanted) < 1e-6, `${grads[i]}`);
  const device = await startBackend('reference');
  const at = tensor([0.3, 0.75, 5], [3], { dtype: 'float64', device });
  const ratio = tensor([0.5 / 0.3, 1 / 0.75, 8 / 5], [3], { dtype: 'float64', device });
  const { error } = await checkGrads((x) => mul(powerOfTwoScale(x), x), [at], {
    surrogate: () => (x) => mul(mul(x, ratio), x),
  });
  t.ok(error < 1e-7);
});

t.test('every method takes them, for weights and activations, within its bounds', async (t) => {
  for (const method of METHOD_NAMES.filter((name) => name !== 'float')) {
    const options = { method, weightBits: 4, actBits: 4, accumulatorBits: 14, random: new Random(1) } as const;
    const make = layerPolicy({ ...options, powerOfTwoScales: true });
    const model = new SmallCnn(make, { inChannels: 1, imageSize: 16, classes: 10 });
    model.forward(normal([2, 1, 16, 16], new Random(2)));
    model.eval();
    for (const [name, layer] of quantLayers(model)) {
      const { q, scales } = await integerWeights(name, layer);
      t.ok(scales.every(isPower), `${method}: scales of ${name}`);
      t.ok(isPower(await layer.input.scale().item()), `${method}: inputs of ${name}`);
      if (!(layer.weightQuant instanceof AccumulatorAwareQuantizer)) continue;
      t.ok(testAccumulator(q, layer.weight.shape[0], inputRange(layer.input), 14).safe, `${method}: P of ${name}`);
      t.ok(
        q.some((value) => value !== 0),
        `${method}: ${name} is not all zeros`,
      );
    }
    model.dispose();
  }
});

t.test('scales that follow the weights, and thresholds learned as they are', async (t) => {
  const quantizer = affine({ bits: 4, powerOfTwoScales: true })(zeros([1, 1]), { bits: 4, signed: false });
  const { value, scale } = quantizer.quantize(
    tensor([
      [0.7, -0.3],
      [3.5, 0.1],
    ]),
  );
  t.same(await scale.toArray(), [[0.125], [0.5]]);
  t.same(await value.toArray(), [
    [0.75, -0.25],
    [3.5, 0],
  ]);
  const linear = new ActivationQuantizer({ bits: 4, signed: false, domain: 'linear', powerOfTwoScales: true });
  linear.setThreshold(3);
  t.equal(await linear.scale().item(), 0.25);
  t.throws(() => new ActivationQuantizer({ bits: 4, signed: true, powerOfTwoScales: 1 as never }), ArgumentError);
});
