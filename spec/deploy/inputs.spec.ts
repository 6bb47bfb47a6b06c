import t from 'tap';
import {
  add,
  concat,
  matmul,
  max,
  maximum,
  mean,
  minimum,
  mul,
  pad,
  permute,
  relu,
  reshape,
  roundHalfEven,
  slice,
  sum,
} from '../../lib/autograd/ops.js';
import { maxPool2d } from '../../lib/autograd/pooling.js';
import { row } from '../../lib/autograd/row.js';
import { apply } from '../../lib/autograd/tape.js';
import { auditModel } from '../../lib/deploy/audit.js';
import { currentBackend } from '../../lib/kernels/registry.js';
import * as views from '../../lib/kernels/value.js';
import { Linear } from '../../lib/nn/layers/linear.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import { Espcn } from '../../lib/nn/models/espcn.js';
import { MobileNetV1 } from '../../lib/nn/models/mobileNetV1.js';
import { ResNet18 } from '../../lib/nn/models/resNet18.js';
import { Module } from '../../lib/nn/module.js';
import { a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { ActivationQuantizer } from '../../lib/quant/activation.js';
import { QuantAdd, QuantIdentity, QuantLinear, QuantReLU } from '../../lib/quant/layers.js';
import { layerPolicy, type PolicyOptions } from '../../lib/quant/policy.js';
import { full, tensor, uniform, zeros } from '../../lib/tensor/create.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { memory, scope } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';

const random = new Random(0);

/** Unsigned integers of 4 bits in steps of 1/8. */
function act(bits = 4): QuantReLU {
  const quantizer = new QuantReLU({ bits });
  quantizer.setThreshold((2 ** bits - 1) / 8);
  return quantizer;
}

function linear(features: number, input: ActivationQuantizer): QuantLinear {
  return new QuantLinear(features, 2, {
    weight: a2qPlus({ bits: 4, accumulatorBits: 12 }),
    input,
    bias: false,
    random,
  });
}

/** A quantizer and a layer that names it, with something in between. */
class Between extends Module {
  readonly act: ActivationQuantizer;
  readonly fc: QuantLinear;
  readonly #path: (x: Tensor, act: ActivationQuantizer) => Tensor;

  constructor(features: number, path: (x: Tensor, act: ActivationQuantizer) => Tensor, source = act()) {
    super();
    this.act = source;
    this.fc = linear(features, this.act);
    this.#path = path;
  }

  override forward(x: Tensor): Tensor {
    return this.fc.forward(this.#path(x, this.act));
  }
}

/** Claims to move numbers, and halves them. */
const half = row({ name: 'half', moves: true, shape: ([x]) => x, value: ([x]) => views.mul(x, 0.5) });

const example = uniform([2, 4], random);

t.test('values that are only moved or chosen keep their grid', async (t) => {
  const paths: Record<string, (x: Tensor, act: ActivationQuantizer) => Tensor> = {
    nothing: (x, act) => act.forward(x),
    'another shape': (x, act) => reshape(permute(reshape(act.forward(x), [2, 2, 2]), [0, 2, 1]), [2, 4]),
    'the maximum of a window': (x, act) =>
      reshape(maxPool2d(reshape(act.forward(x), [2, 4, 1, 1]), { kernel: 1 }), [2, 4]),
    relu: (x, act) => relu(act.forward(x)),
    'the larger of a pair': (x, act) => maximum(act.forward(x), permute(act.forward(mul(x, 2)), [0, 1])),
    'the smaller of a pair': (x, act) => minimum(act.forward(x), act.forward(mul(x, 2))),
    'the maximum along an axis': (x, act) => max(reshape(act.forward(concat([x, x], 1)), [2, 2, 4]), { axes: 1 }),
    zeros: (x, act) =>
      slice(
        pad(act.forward(x), [
          [0, 0],
          [1, 0],
        ]),
        1,
        0,
        4,
      ),
    'two uses side by side': (x, act) => concat([act.forward(x), act.forward(mul(x, 2))], 1),
  };
  for (const [what, path] of Object.entries(paths)) {
    const model = new Between(what.includes('two') ? 8 : 4, path);
    const audit = await auditModel(model, { example });
    t.match(audit, { proved: true, problems: [], layers: [{ inputChecked: 'by construction', problems: [] }] }, what);
    t.equal(audit.layers[0].inputSeen, null);
    t.match(
      await auditModel(model),
      { proved: false, layers: [{ inputChecked: "author's word", proved: null }] },
      what,
    );
  }
});

t.test('values that are not the named quantizer’s rest on the author’s word', async (t) => {
  const other = act();
  other.setThreshold(15 / 4);
  const paths: [what: string, path: (x: Tensor, act: ActivationQuantizer) => Tensor, reason: RegExp][] = [
    ['a sum of two quantized tensors', (x, act) => add(act.forward(x), act.forward(mul(x, 2))), /made by add/],
    ['a quantizer of other steps', (x) => other.forward(x), /steps of 0\.25; the quantizer it names has 0\.125/],
    ['a quantizer of more bits', (x) => act(5).forward(x), /integers of 0 … 31; it names 0 … 15/],
    ['the larger of a grid and a number', (x, act) => maximum(act.forward(x), 0.3), /an input or a constant/],
    ['no quantizer', (x) => x, /an input or a constant/],
    [
      'padding off the grid',
      (x, act) =>
        slice(
          pad(
            act.forward(x),
            [
              [0, 0],
              [1, 0],
            ],
            0.3,
          ),
          1,
          0,
          4,
        ),
      /made by pad/,
    ],
    [
      'a window that may miss every pixel',
      (x, act) =>
        reshape(maxPool2d(reshape(act.forward(x), [2, 4, 1, 1]), { kernel: 2, dilation: 2, padding: 1 }), [2, 4]),
      /made by maxPool2d/,
    ],
    ['a row that says it only moves', (x, act) => apply(half, [act.forward(x)], {}), /made by half/],
    ['one grid beside another', (x, act) => concat([act.forward(x), other.forward(x)], 1), /steps of 0\.25/],
  ];
  for (const [what, path, reason] of paths) {
    const features = what.startsWith('one') ? 8 : 4;
    const { proved, layers } = await auditModel(new Between(features, path), { example });
    t.match([proved, layers[0].proved, layers[0].inputChecked], [false, null, "author's word"], what);
    t.match(layers[0].problems, [reason], what);
  }
});

t.test('data refute what is not so, by layer and value', async (t) => {
  const sum = new Between(4, (x, act) => add(act.forward(x), act.forward(x)));
  const before = memory(currentBackend()).bytes;
  const batches = () => [full([2, 4], 0.5), full([3, 4], 1.5)];
  const audit = await auditModel(sum, { batches: batches() });
  t.match(audit, { proved: false, layers: [{ layer: 'fc', proved: false, inputChecked: 'refuted by data' }] });
  t.match(audit.layers[0].problems, [/refuted by data; input 3 is 24 steps of 0\.125; its grid has .* 0 … 15/]);
  t.same(audit.layers[0].inputSeen, { low: 8, high: 24, samples: 5 });
  t.same(await auditModel(sum, batches()), audit, 'batches alone say the same');

  const small = await auditModel(sum, [full([2, 4], 0.5)]);
  t.match(small, { proved: false, layers: [{ inputChecked: 'by data', proved: null }] }, 'data that fit prove nothing');
  t.match(small.layers[0].problems, [/by data; its inputs are made by add/]);
  const float = await auditModel(new Between(4, (x) => x), [tensor([[0.5, 0.3, 0, 0]])]);
  t.match(float.layers[0].problems, [/input 0\.3\d* is 2\.4\d* steps/]);
  const signs = await auditModel(new Between(4, (x) => x), [tensor([[-0.125, 0, 0, 0]])]);
  t.match(signs.layers[0].problems, [/input -0\.125 is -1 steps/]);
  const none = await auditModel(new Between(4, (x) => x), [tensor([[Number.NaN, 0, 0, 0]])]);
  t.match(none.layers[0].problems, [/input NaN/]);
  const good = await auditModel(new Between(4, (x, act) => act.forward(x)), batches());
  t.match(good, { proved: true, layers: [{ inputSeen: { low: 4, high: 12, samples: 5 } }] });
  await t.rejects(auditModel(sum, []), DataError);
  t.ok(memory(currentBackend()).bytes - before < 4096, 'nothing large is left in memory');
});

t.test('a quantizer of one’s own is the author’s word; with data it is looked at', async (t) => {
  class Own extends ActivationQuantizer {
    override forward(x: Tensor): Tensor {
      return mul(roundHalfEven(mul(x, 8)), 0.125);
    }
  }
  const own = new Own({ bits: 4, signed: false });
  own.setThreshold(15 / 8);
  const model = new Between(4, (x, act) => act.forward(x), own);
  t.match(await auditModel(model, { example }), { proved: false, layers: [{ inputChecked: "author's word" }] });
  t.match(await auditModel(model, [example]), { layers: [{ inputChecked: 'by data', proved: null }] });
});

t.test('what computes beside the quantized layers is named', async (t) => {
  const source = act();
  const float = new Sequential(new Linear(4, 4, { random }), source, linear(4, source));
  const audit = await auditModel(float, { example });
  t.match(audit, { proved: false, layers: [{ proved: true }] });
  t.same(audit.problems, [
    '0 is not quantized: its weights are floats',
    'a matmul runs outside of every quantized layer',
  ]);
  const product = new Between(4, (x, act) => act.forward(matmul(x, full([4, 4], 0.25))));
  t.match(await auditModel(product, { example }), { proved: false, problems: [/a matmul runs outside/] });
  const unreached = new Between(4, (x, act) => act.forward(x));
  Object.assign(unreached, { spare: linear(4, unreached.act) });
  const spare = await auditModel(unreached, { example });
  t.match(spare.layers[1], { layer: 'spare', proved: null, problems: [/does not reach the layer/] });
  const plain = new Sequential(source, linear(4, source));
  source.runningThreshold.write(Float32Array.of(Number.POSITIVE_INFINITY));
  t.match(await auditModel(plain, { example }), { proved: false, problems: [/0\.running_threshold holds Infinity/] });
});

t.test('a dot product written as a sum of products is named; a mean of pixels is none', async (t) => {
  const weights = uniform([4, 4], random);
  const dot = (x: Tensor, w: Tensor) => sum(mul(reshape(x, [2, 4, 1]), w), { axes: 1 });
  const cases: [what: string, path: (x: Tensor) => Tensor, named: boolean][] = [
    ['a sum of products', (x) => dot(x, weights), true],
    ['with something in between', (x) => sum(relu(add(mul(reshape(x, [2, 4, 1]), weights), 1)), { axes: 1 }), true],
    [
      'in another shape',
      (x) => sum(reshape(mul(concat([x, x], 1), uniform([8], random)), [2, 2, 4]), { axes: 1 }),
      true,
    ],
    ['a mean of products', (x) => mul(mean(mul(x, slice(weights, 0, 0, 1)), { axes: 1, keepDims: true }), x), true],
    ['one factor along what is summed', (x) => dot(x, full([1, 4], 0.5)), false],
    ['a factor of each channel', (x) => mean(mul(reshape(x, [2, 4, 1]), full([4, 1], 3)), { axes: 2 }), false],
    ['a sum of data', (x) => mul(sum(x, { axes: 1, keepDims: true }), slice(weights, 0, 0, 1)), false],
    ['a sum of rounded products', (x) => mul(sum(act().forward(mul(x, weights.size)), { axes: 0 }), x), false],
  ];
  for (const [what, path, named] of cases) {
    const { problems } = await auditModel(new Between(4, (x, act) => act.forward(path(x))), { example });
    t.same(problems, named ? ['a sum of weighted values runs outside of every quantized layer'] : [], what);
  }
});

t.test('a sum on a grid of its own is on that grid', async (t) => {
  class Residual extends Module {
    readonly join = new QuantAdd({ bits: 4, signed: false });
    readonly act = act();
    readonly fc = linear(4, this.act);
    override forward(x: Tensor): Tensor {
      return this.fc.forward(this.act.forward(this.join.forward(x, x)));
    }
  }
  t.match(await auditModel(new Residual(), { example }), { proved: true });
});

t.test('every model of ours is proved by construction, and is as before afterwards', async (t) => {
  const policy: PolicyOptions = { method: 'a2q+', weightBits: 4, actBits: 4, accumulatorBits: 12, random };
  const models: [Module, number][] = [
    [new Espcn(layerPolicy(policy), { scale: 2, widths: [4, 4, 4] }), 8],
    [new MobileNetV1(layerPolicy(policy), { classes: 3, widthMultiplier: 0.125 }), 16],
    [new ResNet18(layerPolicy(policy), { classes: 3, widths: [4, 4, 4, 4] }), 16],
  ];
  for (const [model, side] of models) {
    const name = model.constructor.name;
    model.train();
    const audit = await auditModel(model, { example: zeros([1, 3, side, side]) });
    t.same(new Set(audit.layers.map(({ inputChecked }) => inputChecked)), new Set(['by construction']), name);
    t.match(audit, { proved: true, problems: [] }, name);
    t.ok(
      model.namedModules().every(([, module]) => module.training),
      'its mode',
    );
    scope(() => void model.forward(uniform([2, 3, side, side], random)));
  }
});

t.test('a layer that quantizes its own input needs no trace', async (t) => {
  const input = () => new QuantIdentity({ bits: 4 });
  const fc = new QuantLinear(4, 2, { weight: a2qPlus({ bits: 4, accumulatorBits: 12 }), input, random });
  t.match(await auditModel(fc), { proved: true, layers: [{ inputChecked: 'by construction' }] });
});
