import '../startReference.js';
import t from 'tap';
import { noGrad } from '../../lib/autograd/tape.js';
import { makeBatch } from '../../lib/data/batches.js';
import { glyphs } from '../../lib/data/glyphs.js';
import { hiddenLayers, withAccumulators } from '../../lib/deploy/simulate.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { SmallCnn } from '../../lib/nn/models/smallCnn.js';
import { Module } from '../../lib/nn/module.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { calibrateActivations } from '../../lib/quant/calibrate.js';
import { epInit, initializeQuantizers } from '../../lib/quant/epInit.js';
import { QuantConv2d, QuantLinear, quantLayers } from '../../lib/quant/layers.js';
import type { Method } from '../../lib/quant/methods.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import { affineLearned } from '../../lib/quant/weightQuantizer.js';
import { tensor } from '../../lib/tensor/create.js';
import { BackendError, QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { closeTo } from '../helpers.js';

setBackend(backendNamed('reference'));

/**
 * Two channels of known integers, s_x = 0.5 and s_w = 0.25: weights of 4 bits are (7, 7, −2) and (1, 0, 0), inputs
 * unsigned 4-bit.
 */
class KnownLinear extends Module {
  readonly act = new ActivationQuantizer({ bits: 4, signed: false, collectStatsSteps: 0 });
  readonly layer = new QuantLinear(3, 2, {
    weight: affineLearned({ bits: 4 }),
    input: this.act,
    random: new Random(0),
  });

  constructor() {
    super();
    this.act.setThreshold(7.5);
    this.layer.weight.write(Float32Array.of(1.75, 1.75, -0.5, 0.25, 0, 0));
    this.layer.weightQuant.initialize(this.layer.weight);
    // Both channels on the grid of the first.
    const [[, d]] = this.layer.weightQuant.namedParameters();
    d.write(Float32Array.of(Math.log2(1.75), Math.log2(1.75)));
    this.layer.bias?.write(Float32Array.of(10, -1));
  }

  override forward(x: Tensor): Tensor {
    return this.layer.forward(this.act.forward(x));
  }
}

/** Integer inputs (15, 15, 4) and (1, 2, 15). */
const KNOWN_INPUT = [
  [7.5, 7.5, 2],
  [0.5, 1, 7.5],
];

async function runKnown(accumulatorBits: number, overflow: 'exact' | 'wrap' | 'saturate') {
  const model = new KnownLinear().eval() as KnownLinear;
  const { result, layers, overflows } = await withAccumulators(
    model,
    { accumulatorBits, overflow, layers: [['layer', model.layer]] },
    () => noGrad(() => model.forward(tensor(KNOWN_INPUT))).toArray(),
  );
  return { result, layer: layers[0], overflows };
}

// First channel: partial sums 105, 210, 202 and 7, 21, −9; second channel: 15 and 1. One step is worth 0.125.
t.test('a register wide enough gives the float product', async (t) => {
  const { result, layer, overflows } = await runKnown(9, 'wrap');
  t.same(result, [
    [10 + 202 / 8, -1 + 15 / 8],
    [10 - 9 / 8, -1 + 1 / 8],
  ]);
  t.same(layer, { layer: 'layer', overflows: 0, outputsAffected: 0, outputs: 4, sums: 8 });
  t.equal(overflows, 0);
});

t.test('8 bits wrap, saturate or are only counted', async (t) => {
  const wrapped = await runKnown(8, 'wrap');
  // 210 becomes −46; −46 − 8 = −54 fits.
  t.same(wrapped.result, [
    [10 - 54 / 8, -1 + 15 / 8],
    [10 - 9 / 8, -1 + 1 / 8],
  ]);
  t.same(wrapped.layer, { layer: 'layer', overflows: 1, outputsAffected: 1, outputs: 4, sums: 8 });
  const saturated = await runKnown(8, 'saturate');
  t.same(saturated.result[0 as never], [10 + (127 - 8) / 8, -1 + 15 / 8]);
  t.equal(saturated.overflows, 1);
  const exact = await runKnown(8, 'exact');
  t.same(exact.result[0 as never], [10 + 202 / 8, -1 + 15 / 8]);
  // 210 and 202 are both outside.
  t.equal(exact.overflows, 2);
});

t.test('hooks go when the work ends, well or not', async (t) => {
  const model = new KnownLinear();
  const options = { accumulatorBits: 8, overflow: 'wrap', layers: [['layer', model.layer]] } as const;
  const own = () => tensor([[0]]);
  model.layer.product = own;
  await withAccumulators(model, options, () => t.not(model.layer.product, own));
  t.equal(model.layer.product, own);
  await t.rejects(
    withAccumulators(model, options, () => Promise.reject(new Error('the work failed'))),
    { message: 'the work failed' },
  );
  t.equal(model.layer.product, own);
});

t.test('values off the grid are refused', async (t) => {
  const model = new KnownLinear().eval() as KnownLinear;
  const work = () => noGrad(() => model.layer.forward(tensor([[0.3, 0, 0]])));
  await t.rejects(
    withAccumulators(model, { accumulatorBits: 8, overflow: 'wrap', layers: [['layer', model.layer]] }, work),
    new QuantError(
      'withAccumulators',
      `x holds ${Math.fround(0.3)}, which is no multiple of its scale 0.5; ` +
        'only quantized values can be summed as integers',
    ),
  );
  await t.rejects(
    withAccumulators(model, { accumulatorBits: 33, overflow: 'wrap', layers: [['layer', model.layer]] }, () =>
      noGrad(() => model.forward(tensor(KNOWN_INPUT))),
    ),
    QuantError,
  );
});

t.test('a backend whose memory cannot be read in place', async (t) => {
  const distant = createReferenceBackend();
  Object.defineProperties(distant, { host: { value: undefined }, name: { value: 'distant' } });
  setBackend(distant);
  t.teardown(() => setBackend(backendNamed('reference')));
  await t.rejects(
    runKnown(8, 'wrap'),
    new BackendError(
      'withAccumulators',
      'the memory of backend distant cannot be read in place; use wasm or reference',
    ),
  );
});

const set = glyphs({ length: 40, seed: 3 });

/** A small network with thresholds from data; untrained, which integers do not mind. */
async function network(method: Method, accumulatorBits: number): Promise<SmallCnn> {
  const make = layerPolicy({ method, weightBits: 4, actBits: 4, accumulatorBits, random: new Random(5) });
  const model = new SmallCnn(make, {
    inChannels: 1,
    imageSize: 16,
    classes: 10,
    widths: [4, 6, 8],
    signedInput: true,
  });
  initializeQuantizers(model);
  if (method !== 'qat') await epInit(model);
  const { inputs, inputShape } = makeBatch(set, [...Array(20).keys()]);
  await calibrateActivations(model, [tensor(inputs, inputShape)]);
  model.eval();
  return model;
}

for (const method of ['qat', 'a2q', 'a2q+'] as const) {
  t.test(`a convolutional network, ${method}`, async (t) => {
    const model = await network(method, 12);
    t.same(
      hiddenLayers(model).map(([name]) => name),
      ['stages.1.conv', 'stages.2.conv'],
    );
    const { inputs, inputShape } = makeBatch(set, [20, 21, 22, 23, 24, 25]);
    const x = tensor(inputs, inputShape);
    const plain = await noGrad(() => model.forward(x)).data();
    for (const overflow of ['exact', 'wrap', 'saturate'] as const) {
      const { result, layers } = await withAccumulators(model, { accumulatorBits: 24, overflow }, () =>
        noGrad(() => model.forward(x)).data(),
      );
      closeTo(t, result, plain, 1e-5, `24 bits, ${overflow}`);
      t.same(predictions(result), predictions(plain));
      t.same(
        layers.map(({ layer, overflows, outputs }) => ({ layer, overflows, outputs })),
        [
          { layer: 'stages.1.conv', overflows: 0, outputs: 6 * 6 * 8 * 8 },
          { layer: 'stages.2.conv', overflows: 0, outputs: 6 * 8 * 4 * 4 },
        ],
      );
    }
    const narrow = { accumulatorBits: 6, overflow: 'wrap' } as const;
    const { result, overflows } = await withAccumulators(model, narrow, () => noGrad(() => model.forward(x)).data());
    t.ok(overflows > 0, '6 bits are too few');
    t.notSame(Array.from(result), Array.from(plain));
    t.same(await noGrad(() => model.forward(x)).data(), plain, 'the float simulation is back');
  });
}

t.test('a network trained for P bits does not overflow them', async (t) => {
  const { inputs, inputShape } = makeBatch(set, [0, 1, 2, 3]);
  for (const method of ['a2q', 'a2q+'] as const) {
    const model = await network(method, 10);
    const { overflows, layers } = await withAccumulators(model, { accumulatorBits: 10, overflow: 'wrap' }, () =>
      noGrad(() => void model.forward(tensor(inputs, inputShape))),
    );
    t.equal(overflows, 0);
    t.ok(layers.every(({ sums }) => sums > 0));
  }
});

t.test('all layers can be simulated by naming them', async (t) => {
  const model = await network('qat', 12);
  const { inputs, inputShape } = makeBatch(set, [30, 31]);
  const x = tensor(inputs, inputShape);
  const plain = await noGrad(() => model.forward(x)).data();
  const { result, layers } = await withAccumulators(
    model,
    { accumulatorBits: 32, overflow: 'wrap', layers: quantLayers(model) },
    () => noGrad(() => model.forward(x)).data(),
  );
  closeTo(t, result, plain, 1e-4, 'logits');
  t.equal(layers.length, 4);
  t.ok([...quantLayers(model)].some(([, layer]) => layer instanceof QuantConv2d));
});

/** The largest logit of each of ten. */
function predictions(logits: ArrayLike<number>): number[] {
  return Array.from({ length: logits.length / 10 }, (_, row) => {
    const scores = Array.from({ length: 10 }, (_, label) => logits[row * 10 + label]);
    return scores.indexOf(Math.max(...scores));
  });
}
