import t from 'tap';
import { setBackend, startBackend } from '../../lib/kernels/registry.js';
import { BatchNorm2d } from '../../lib/nn/layers/batchNorm.js';
import { Module } from '../../lib/nn/module.js';
import { QuantLinear, QuantReLU } from '../../lib/quant/layers.js';
import { reestimateBatchNorms } from '../../lib/quant/reestimate.js';
import { affineLearned } from '../../lib/quant/weightQuantizer.js';
import { tensor } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { closeTo } from '../helpers.js';

setBackend(await startBackend('reference'));

/** ReLU, a linear layer of one weight 2, batch norm, ReLU. */
class Tiny extends Module {
  readonly input = new QuantReLU({ bits: 2, collectStatsSteps: 0 });
  readonly fc = new QuantLinear(1, 1, {
    weight: affineLearned({ bits: 4 }),
    input: this.input,
    bias: false,
    random: new Random(0),
  });
  readonly bn = new BatchNorm2d(1);
  readonly act = new QuantReLU({ bits: 2, collectStatsSteps: 0 });

  constructor() {
    super();
    this.fc.weight.write(Float32Array.of(2));
    this.fc.weightQuant.initialize(this.fc.weight);
  }

  override forward(x: Tensor): Tensor {
    return this.act.forward(this.bn.forward(this.fc.forward(this.input.forward(x))));
  }
}

t.test('running statistics move to those of unquantized activations', async (t) => {
  const model = new Tiny().eval() as Tiny;
  // 2 · (0.3, 1.1, 5, 0) has mean 3.2 and unbiased variance 21.8533…; 2-bit inputs would be coarser than that.
  const batch = tensor([[0.3], [1.1], [5], [-7]]);
  t.equal(await reestimateBatchNorms(model, new Array(100).fill(batch)), 100);
  const mean = (0.6 + 2.2 + 10) / 4;
  const variance = ((0.6 - mean) ** 2 + (2.2 - mean) ** 2 + (10 - mean) ** 2 + mean ** 2) / 3;
  closeTo(t, await model.bn.runningMean.data(), [mean], 1e-4, 'mean');
  closeTo(t, await model.bn.runningVar.data(), [variance], 1e-4, 'variance');
  t.notOk(model.training, 'the mode is as before');
  t.notOk(model.input.learned, 'thresholds are to be found anew');
  t.notOk(model.input.calibrating);
});

t.test('a few batches leave a share of the old', async (t) => {
  const model = new Tiny();
  const batch = tensor([[1], [3]]);
  await reestimateBatchNorms(model, [batch, batch]);
  // 0 · 0.9² + 4 · (1 − 0.9²)
  closeTo(t, await model.bn.runningMean.data(), [0.76], 1e-6, 'mean');
  t.ok(model.training);
});

t.test('no batch', async (t) => {
  const model = new Tiny();
  await t.rejects(reestimateBatchNorms(model, []), new DataError('reestimateBatchNorms', 'needs at least one batch'));
  t.notOk(model.input.calibrating);
});
