import t from 'tap';
import { abs, concat, mul, permute, relu, reshape, slice } from '../../../lib/autograd/ops.js';
import { avgPool2d, globalAvgPool2d, maxPool2d } from '../../../lib/autograd/pooling.js';
import { pixelShuffle, upsampleNearest } from '../../../lib/autograd/resample.js';
import { noGrad } from '../../../lib/autograd/tape.js';
import { decodeOutput, quantizeInput } from '../../../lib/deploy/graph/decode.js';
import { decodeNetwork, encodeNetwork } from '../../../lib/deploy/graph/file.js';
import type { IntegerGraph } from '../../../lib/deploy/graph/graph.js';
import { lower } from '../../../lib/deploy/lowering/lower.js';
import type { Requantization } from '../../../lib/deploy/lowering/requantize.js';
import { type IntegerValue, runReference } from '../../../lib/deploy/runtime/reference.js';
import { BatchNorm2d } from '../../../lib/nn/layers/batchNorm.js';
import { Dropout } from '../../../lib/nn/layers/dropout.js';
import { Espcn } from '../../../lib/nn/models/espcn.js';
import type { LayerFactory } from '../../../lib/nn/models/factory.js';
import { MobileNetV1 } from '../../../lib/nn/models/mobileNetV1.js';
import { ResNet18 } from '../../../lib/nn/models/resNet18.js';
import { SmallCnn } from '../../../lib/nn/models/smallCnn.js';
import { Module } from '../../../lib/nn/module.js';
import { ActivationQuantizer } from '../../../lib/quant/activation.js';
import {
  activationQuantizers,
  QuantAdd,
  QuantConv2d,
  QuantIdentity,
  QuantLinear,
  QuantReLU,
} from '../../../lib/quant/layers.js';
import { layerPolicy } from '../../../lib/quant/policy.js';
import { StatsWeightQuantizer } from '../../../lib/quant/weightQuantizer.js';
import { uniform } from '../../../lib/tensor/create.js';
import { QuantError } from '../../../lib/tensor/errors.js';
import { Random } from '../../../lib/tensor/random.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import { settle } from '../settle.js';

const random = new Random(5);

/** The integers every quantizer gives, by the name of its module and call, and the output. */
async function integersOfModel(
  model: Module,
  x: Tensor,
): Promise<{ seen: Map<string, Int32Array>; output: Float32Array }> {
  const tensors = new Map<string, { y: Tensor; scale: Tensor }>();
  for (const [name, quantizer] of activationQuantizers(model)) {
    const forward = ActivationQuantizer.prototype.forward;
    quantizer.forward = (input) => {
      const y = forward.call(quantizer, input);
      let free = name;
      for (let i = 2; tensors.has(free); i++) free = `${name}.${i}`;
      tensors.set(free, { y, scale: quantizer.scale() });
      return y;
    };
  }
  const out = noGrad(() => model.forward(x));
  const seen = new Map<string, Int32Array>();
  for (const [name, { y, scale }] of tensors) {
    const step = await scale.item();
    seen.set(
      name,
      Int32Array.from(await y.data(), (value) => Math.round(value / step)),
    );
  }
  for (const [, quantizer] of activationQuantizers(model)) Reflect.deleteProperty(quantizer, 'forward');
  return { seen, output: Float32Array.from(await out.data()) };
}

/** Runs model and graph on the same inputs. @returns how many integers of quantizers were compared, and differ */
async function compare(model: Module, graph: IntegerGraph, x: Tensor) {
  const { seen, output } = await integersOfModel(model, x);
  const values = new Map<string, IntegerValue>();
  const input = quantizeInput(graph, Float32Array.from(await x.data()), x.shape);
  const y = runReference(graph, input, { see: (node, value) => values.set(node.name, value) });
  let compared = 0;
  let differing = 0;
  for (const [name, wanted] of seen) {
    // What moves between an accumulator and its quantizer moves behind it in the graph.
    const moved = [...values.keys()].filter((key) => key.startsWith(`${name}.`)).at(-1) ?? name;
    const own = values.get(name)?.data;
    const value = own?.length === wanted.length ? own : values.get(moved)?.data;
    if (!value || value.length !== wanted.length) continue;
    compared += wanted.length;
    for (const [i, q] of wanted.entries()) if (value[i] !== q) differing++;
  }
  const decoded = decodeOutput(graph, y);
  const largest = output.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const apart = output.reduce((most, value, i) => Math.max(most, Math.abs(value - decoded[i])), 0);
  return { compared, differing, apart: apart / largest };
}

const policy = (accumulatorBits = 12, actBits = 4): LayerFactory =>
  layerPolicy({ method: 'a2q+', weightBits: 4, actBits, accumulatorBits, random });

const MODELS: Record<string, { model: () => Module; shape: readonly number[] }> = {
  'small CNN': {
    model: () => new SmallCnn(policy(), { inChannels: 1, imageSize: 16, classes: 10 }),
    shape: [4, 1, 16, 16],
  },
  ResNet18: { model: () => new ResNet18(policy(14), { classes: 10, widths: [8, 8, 16, 16] }), shape: [2, 3, 16, 16] },
  MobileNetV1: {
    model: () => new MobileNetV1(policy(14), { classes: 10, widthMultiplier: 0.1 }),
    shape: [2, 3, 16, 16],
  },
  ESPCN: { model: () => new Espcn(policy(13, 3), { scale: 3, widths: [16, 16, 8] }), shape: [2, 3, 11, 9] },
};

for (const [name, { model: make, shape }] of Object.entries(MODELS)) {
  t.test(`${name} in integers is the fake-quantized model, at every layer`, async (t) => {
    const model = make();
    settle(model, shape, random);
    const graph = await lower(model, uniform(shape, random, -1, 1), { name });
    const x = uniform(shape, random, -1, 1);
    const { compared, differing, apart } = await compare(model, decodeNetwork(encodeNetwork(graph), name), x);
    t.ok(compared > 1000, `${compared} integers of hidden layers`);
    t.equal(differing, 0, 'of which none differs');
    t.ok(apart < 1e-6, `outputs are ${apart} apart`);
    t.notOk(Object.hasOwn(model, 'forward'), 'the model is as it was');
    t.notOk(model.training);

    const fixed = await lower(model, x, { name, requantization: 'fixed' });
    const rough = await compare(model, fixed, x);
    t.ok(rough.differing < 0.001 * rough.compared, `fixed point: ${rough.differing} of ${rough.compared} differ`);
    model.dispose();
  });
}

const act = (bits = 4) => new QuantReLU({ bits });
const weight = () => new StatsWeightQuantizer(4);

/** A model of one's own: an input on a grid, and whatever is done behind it. */
class Own extends Module {
  readonly input = new QuantIdentity({ bits: 8 });
  readonly conv1: QuantConv2d;
  readonly bn1 = new BatchNorm2d(8);
  readonly act1 = act();
  readonly act2 = act();
  readonly wide = act(6);
  readonly conv2: QuantConv2d;
  readonly add = new QuantAdd({ bits: 4, signed: true });
  readonly dropout = new Dropout(0.5, { random });
  readonly fc: QuantLinear;
  readonly #body: (own: Own, x: Tensor) => Tensor;

  constructor(features: number, body: (own: Own, x: Tensor) => Tensor, inner = 8) {
    super();
    const options = { weight, random, bias: true };
    this.conv1 = new QuantConv2d(3, 8, 3, { ...options, input: this.input, padding: 1 });
    this.conv2 = new QuantConv2d(inner, 8, 3, { ...options, input: this.act1, padding: 1 });
    this.fc = new QuantLinear(features, 5, { ...options, input: this.act2 });
    this.#body = body;
  }

  override forward(x: Tensor): Tensor {
    return this.#body(this, x);
  }

  stem(x: Tensor): Tensor {
    return this.bn1.forward(this.conv1.forward(this.input.forward(x)));
  }

  flat(x: Tensor): Tensor {
    return reshape(x, [x.shape[0], x.size / x.shape[0]]);
  }
}

const BODIES: Record<string, { features: number; inner?: number; body: (own: Own, x: Tensor) => Tensor }> = {
  'max-pool between batch norm and quantizer': {
    features: 8 * 16,
    body: (m, x) => m.fc.forward(m.act2.forward(m.flat(maxPool2d(relu(m.stem(x)), { kernel: 2 })))),
  },
  'average pools, of windows and planes': {
    features: 8,
    body: (m, x) => {
      const small = m.wide.forward(avgPool2d(m.act1.forward(m.stem(x)), { kernel: 2 }));
      return m.fc.forward(m.act2.forward(m.flat(globalAvgPool2d(small))));
    },
  },
  'a residual, several readers of one value, dropout': {
    features: 8 * 64,
    body: (m, x) => {
      const a = m.act1.forward(m.stem(x));
      const sum = m.add.forward(m.bn1.forward(m.conv2.forward(a)), a);
      return m.fc.forward(m.act2.forward(m.flat(m.dropout.forward(relu(sum)))));
    },
  },
  'concatenated channels': {
    features: 8 * 64,
    inner: 16,
    body: (m, x) => {
      const a = m.act1.forward(m.stem(x));
      const both = concat([a, maxPool2d(a, { kernel: 3, stride: 1, padding: 1 })], 1);
      return m.fc.forward(m.act2.forward(m.flat(m.conv2.forward(both))));
    },
  },
  'pixels shuffled, repeated and permuted': {
    features: 8 * 64,
    inner: 2,
    body: (m, x) => {
      const a = pixelShuffle(m.act1.forward(m.stem(x)), 2);
      const b = m.conv2.forward(permute(a, [0, 1, 3, 2]));
      const c = avgPool2d(m.wide.forward(upsampleNearest(b, 2)), { kernel: 4 });
      return m.fc.forward(m.act2.forward(m.flat(c)));
    },
  },
};

for (const [name, { features, inner, body }] of Object.entries(BODIES)) {
  t.test(`a model of one's own: ${name}`, async (t) => {
    const model = new Own(features, body, inner);
    const shape = [2, 3, 8, 8];
    settle(model, shape, random);
    const graph = await lower(model, uniform(shape, random, -1, 1));
    for (const round of [0, 1]) {
      const { compared, differing, apart } = await compare(model, graph, uniform(shape, random, -1, 1));
      t.ok(compared > 100, `${compared} integers, round ${round}`);
      t.equal(differing, 0);
      t.ok(apart < 1e-6, `outputs are ${apart} apart`);
    }
    model.dispose();
  });
}

const REFUSED: Record<string, { body: (own: Own, x: Tensor) => Tensor; says: RegExp }> = {
  'no quantizer before a layer': {
    body: (m, x) => m.conv1.forward(x),
    says: /conv1 multiplies values that no quantizer/,
  },
  'a quantizer that is not the named one': {
    body: (m, x) => m.conv2.forward(m.wide.forward(m.stem(x))),
    says: /conv2 its inputs are 0 … 63 in steps of/,
  },
  'sums of two grids': {
    body: (m, x) => relu(mul(m.act1.forward(m.stem(x)), m.wide.forward(m.stem(x)))),
    says: /mul of two values that are not on one grid/,
  },
  'what neither rises nor falls': { body: (m, x) => m.act1.forward(abs(m.stem(x))), says: /neither rises nor falls/ },
  'a part of a value': {
    body: (m, x) => slice(m.act1.forward(m.stem(x)), 1, 0, 4),
    says: /slice, which has no form in integers/,
  },
};

for (const [name, { body, says }] of Object.entries(REFUSED)) {
  t.test(`refused: ${name}`, async (t) => {
    const model = new Own(8, body);
    for (const [, quantizer] of activationQuantizers(model)) quantizer.setThreshold(quantizer === model.wide ? 2 : 1);
    const modes: readonly Requantization[] = ['thresholds'];
    for (const requantization of modes) {
      const work = lower(model, uniform([1, 3, 8, 8], random, -1, 1), { requantization });
      await t.rejects(work, { name: 'QuantError', message: says });
      await t.rejects(work, QuantError);
    }
    t.ok(model.training, 'its modes are as they were');
    t.equal(model.conv1.product, null);
    model.dispose();
  });
}
