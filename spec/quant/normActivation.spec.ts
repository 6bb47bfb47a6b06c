import t from 'tap';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { Activation, BatchNorm2d, Identity, ReLU } from '../../lib/nn/index.js';
import type { Module } from '../../lib/nn/module.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { QuantReLU } from '../../lib/quant/layers.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { arraysEqual, closeTo } from '../helpers.js';
import { backends, gradients, randomTensor } from '../nn/support.js';

/** A quantizer whose scale is learned by now. */
function learned<Q extends ActivationQuantizer>(quantizer: Q): Q {
  quantizer.setThreshold(1.3);
  return quantizer;
}

/** Counts what an activation is asked for; the numbers are those of a ReLU. */
class Watched extends ReLU {
  calls: string[] = [];

  override forward(x: Tensor): Tensor {
    this.calls.push('forward');
    return super.forward(x);
  }

  override forwardNormalized(normalize: Parameters<Activation['forwardNormalized']>[0]): Tensor {
    this.calls.push('forwardNormalized');
    return super.forwardNormalized(normalize);
  }
}

const ACTIVATIONS: Readonly<Record<string, () => Module>> = {
  ReLU: () => new ReLU(),
  'QuantReLU, learned': () => learned(new QuantReLU({ bits: 4 })),
  'signed quantizer, learned': () => learned(new ActivationQuantizer({ bits: 4, signed: true })),
  'QuantReLU, linear domain': () => learned(new QuantReLU({ bits: 3, domain: 'linear' })),
  'QuantReLU, collecting statistics': () => new QuantReLU({ bits: 4, collectStatsSteps: 5 }),
  'QuantReLU, at the end of statistics': () => {
    const quantizer = new QuantReLU({ bits: 4, collectStatsSteps: 1 });
    quantizer.forward(randomTensor([4, 3, 2, 2], 9));
    return quantizer;
  },
  'QuantReLU, calibrating': () => Object.assign(new QuantReLU({ bits: 4 }), { calibrating: true }),
  'no activation': () => new Identity(),
};

for (const { name, skip } of backends) {
  for (const [label, make] of Object.entries(ACTIVATIONS)) {
    t.test(`forwardInto gives the numbers of one after the other: ${label} on ${name}`, { skip }, async (t) => {
      setBackend(backendNamed(name));
      for (const training of [true, false]) {
        const run = async (into: boolean) => {
          const [norm, activation] = [new BatchNorm2d(5), make()];
          norm.weight.assign(randomTensor([5], 2));
          norm.bias.assign(randomTensor([5], 3));
          norm.train(training);
          activation.train(training);
          const x = randomTensor([6, 5, 3, 3], 1).withGrad();
          const y = into ? norm.forwardInto(activation, x) : activation.forward(norm.forward(x));
          const leaves = [x, norm.weight, norm.bias, ...activation.parameters()];
          const value = await y.data();
          const grads = await gradients(y, randomTensor(y.shape, 4), leaves);
          const state = await Promise.all([norm.runningMean.data(), norm.runningVar.data()]);
          const steps = activation instanceof ActivationQuantizer ? activation.steps.value : 0;
          return { value, grads, state, steps };
        };
        const [fused, apart] = [await run(true), await run(false)];
        closeTo(t, fused.value, apart.value, 1e-6, 'value');
        for (const [i, grad] of fused.grads.entries()) closeTo(t, grad, apart.grads[i], 1e-5, `gradient ${i}`);
        for (const [i, running] of fused.state.entries()) arraysEqual(t, running, apart.state[i], `statistic ${i}`);
        t.equal(fused.steps, apart.steps, 'calls counted');
      }
    });
  }
}

t.test('forwardInto asks an activation once, and to take the norm along only in training', async (t) => {
  const [norm, activation] = [new BatchNorm2d(2), new Watched()];
  const x = randomTensor([3, 2, 1, 1], 1);
  norm.forwardInto(activation, x);
  t.same(activation.calls, ['forwardNormalized']);
  norm.eval();
  norm.forwardInto(activation, x);
  t.same(activation.calls, ['forwardNormalized', 'forward']);
  t.throws(() => norm.train().forwardInto(activation, randomTensor([3, 3, 1, 1], 1)), { name: 'ShapeError' });
});

t.test('an activation of one’s own need not know of norms', async (t) => {
  class Halve extends Activation {
    override forward(x: Tensor): Tensor {
      return x.mul(0.5);
    }
  }
  const [norm, x] = [new BatchNorm2d(2), randomTensor([3, 2, 1, 1], 1)];
  const y = norm.forwardInto(new Halve(), x);
  arraysEqual(t, await y.data(), await new Halve().forward(new BatchNorm2d(2).forward(x)).data(), 'value');
});
