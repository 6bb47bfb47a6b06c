import t from 'tap';
import '../../lib/kernels/registry.js';
import { Conv2d } from '../../lib/nn/layers/conv.js';
import { AccumulatorAwareQuantizer } from '../../lib/quant/accumulatorAware.js';
import type { QuantConv2d } from '../../lib/quant/layers.js';
import { METHOD_NAMES, METHODS, type Method, methodsThat, TRAINING_METHODS } from '../../lib/quant/methods.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import { QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';

/**
 * The bound that a hidden layer of 4 to 4 channels gets, dense and depthwise; `learned` for none, `float` for floats.
 */
function bounds(method: Method): string[] {
  const make = layerPolicy({ method, weightBits: 4, actBits: 4, accumulatorBits: 12, random: new Random(0) });
  const input = make.input({ signed: false });
  return [1, 4].map((groups) => {
    const layer = make.conv2d(4, 4, 3, { role: 'hidden', input, groups });
    if (layer instanceof Conv2d) return 'float';
    const { weightQuant } = layer as QuantConv2d;
    return weightQuant instanceof AccumulatorAwareQuantizer ? weightQuant.kind : 'learned';
  });
}

t.test('each method gives hidden layers its quantizers', async (t) => {
  t.same(METHOD_NAMES, ['float', 'qat', 'a2q', 'a2q+', 'ptq', 'axe']);
  t.same(TRAINING_METHODS, ['float', 'qat', 'a2q', 'a2q+']);
  t.same(bounds('float'), ['float', 'float']);
  t.same(bounds('qat'), ['learned', 'learned']);
  t.same(bounds('a2q'), ['a2q', 'a2q']);
  t.same(bounds('a2q+'), ['a2q+', 'a2q'], 'depthwise layers take A2Q');
  t.same(bounds('ptq'), ['learned', 'learned']);
  t.same(bounds('axe'), ['a2q+', 'a2q+'], 'the budget of balanced weights');
});

t.test('which need P, and which EP-init', async (t) => {
  t.same(
    methodsThat(({ needsAccumulatorBits }) => needsAccumulatorBits),
    ['a2q', 'a2q+', 'axe'],
  );
  t.same(
    methodsThat(({ epInit }) => epInit),
    ['a2q', 'a2q+'],
  );
  t.same(
    METHOD_NAMES.map((name) => METHODS[name].label),
    ['float', 'QAT', 'A2Q', 'A2Q+', 'PTQ', 'AXE'],
  );
  const policy = { weightBits: 4, actBits: 4, random: new Random(0) };
  t.throws(
    () => layerPolicy({ ...policy, method: 'a2q' }),
    new QuantError('layerPolicy', 'a2q needs the accumulator bits P (--acc-bits)'),
  );
  t.throws(() => layerPolicy({ ...policy, method: 'toString' as Method }), {
    message: /must be one of float, qat, a2q/,
  });
});
