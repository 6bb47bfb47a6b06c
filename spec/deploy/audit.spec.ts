import { createHash } from 'node:crypto';
import t from 'tap';
import { auditLayer, auditModel } from '../../lib/deploy/audit.js';
import { currentBackend } from '../../lib/kernels/registry.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import { SmallCnn } from '../../lib/nn/models/smallCnn.js';
import { AccumulatorAwareQuantizer } from '../../lib/quant/accumulatorAware.js';
import { intActivation, uintActivation } from '../../lib/quant/activation.js';
import { QuantLinear } from '../../lib/quant/layers.js';
import { layerPolicy } from '../../lib/quant/policy.js';
import type { QuantTensor } from '../../lib/quant/quantTensor.js';
import { affine, WeightQuantizer, type WeightQuantizerFactory } from '../../lib/quant/weightQuantizer.js';
import { full, tensor } from '../../lib/tensor/create.js';
import { QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { dispose, memory } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';

const ROWS = [
  [3, -2, 0, 1],
  [-1, -1, -1, 0],
];

/** The rows above on a grid of step 0.5, whatever the weights. */
function fixed(bits: number, rows = ROWS): QuantTensor {
  const value = tensor(rows.map((row) => row.map((q) => q / 2)));
  return { value, scale: tensor([[0.5], [0.5]]), bits, signed: true, narrow: true };
}

class Fixed extends WeightQuantizer {
  override quantize(): QuantTensor {
    return fixed(this.bits);
  }
}

/** Claims P bits and keeps no promise. */
class Claiming extends AccumulatorAwareQuantizer {
  override quantize(): QuantTensor {
    return fixed(this.bits);
  }
}

const claim =
  (accumulatorBits: number): WeightQuantizerFactory =>
  (w: Tensor, input) =>
    new Claiming('a2q+', { bits: 3, accumulatorBits }, w, input);

function layer(weight: WeightQuantizerFactory, input = uintActivation({ bits: 4 })): QuantLinear {
  return new QuantLinear(4, 2, { weight, input, random: new Random(0) });
}

/** SHA-256 of the rows as little-endian int32, by another road. */
const HASH = createHash('sha256')
  .update(Buffer.from(Int32Array.from(ROWS.flat()).buffer))
  .digest('hex');

t.test('a layer that claims nothing, worked by hand', async (t) => {
  // Unsigned 4-bit inputs are 0 … 15: row 0 reaches 15·4 and −15·2, row 1 only −15·3. Bits for 60 and −45: 7.
  t.same(
    await auditLayer(
      'fc',
      layer(() => new Fixed(3)),
    ),
    {
      layer: 'fc',
      weightBits: 3,
      inputBits: 4,
      inputSigned: false,
      inputChecked: 'by construction',
      inputSeen: null,
      length: 4,
      channels: 2,
      bound: null,
      accumulatorBits: null,
      budget: null,
      safeBits: 7,
      max: 60,
      min: -45,
      budgetUsed: null,
      meanBudgetUsed: null,
      sparsity: 2 / 8,
      weightsSha256: HASH,
      alpha: [4, 0],
      beta: [-2, -3],
      worst: { channel: 0, max: 60, min: -30, maxInput: [15, 0, 0, 15], minInput: [0, 15, 0, 0] },
      trial: { accumulatorBits: 7, overflows: 0, reached: true, oneBitLessOverflows: true },
      problems: [],
      proved: null,
    },
  );
});

t.test('signed inputs', async (t) => {
  // −8 … 7: row 0 reaches 7·4 + 8·2 = 44 and −8·4 − 7·2 = −46, row 1 8·3 = 24 and −21.
  const audit = await auditLayer(
    'fc',
    layer(() => new Fixed(3), intActivation({ bits: 4 })),
  );
  t.match(audit, { inputSigned: true, max: 44, min: -46, safeBits: 7 });
  t.match(audit.worst, { channel: 0, maxInput: [7, -8, 0, 7], minInput: [-8, 7, 0, -8] });
  t.match(audit.trial, { overflows: 0, reached: true, oneBitLessOverflows: true });
});

t.test('a claim that holds, and its budget', async (t) => {
  const audit = await auditLayer('fc', layer(claim(7)));
  // T₊ = (2^7 − 2)/15 = 8.4; the rows spend 6 and 3 of it.
  t.match(audit, { bound: 'a2q+', accumulatorBits: 7, safeBits: 7, proved: true });
  t.ok(Math.abs((audit.budgetUsed ?? 0) - 6 / 8.4) < 1e-12);
  t.ok(Math.abs((audit.meanBudgetUsed ?? 0) - 4.5 / 8.4) < 1e-12);
  t.match((await auditLayer('fc', layer(claim(9)))).proved, true, 'more bits than needed');
});

t.test('a claim that does not hold is not proved, and the register shows it', async (t) => {
  const audit = await auditLayer('fc', layer(claim(6)));
  t.equal(audit.proved, false);
  // Six bits hold −32 … 31; the sums 60 and −45 do not fit.
  t.match(audit.trial, { accumulatorBits: 6, reached: false });
  t.ok((audit.trial?.overflows ?? 0) > 0);
  const model = await auditModel(new Sequential(layer(claim(7)), layer(claim(6))));
  t.equal(model.proved, false);
  t.same(
    model.layers.map(({ layer: name, proved }) => [name, proved]),
    [
      ['0', true],
      ['1', false],
    ],
  );
});

t.test('a whole model', async (t) => {
  const make = layerPolicy({ method: 'a2q', weightBits: 4, actBits: 4, accumulatorBits: 11, random: new Random(2) });
  const model = new SmallCnn(make, { inChannels: 1, imageSize: 16, classes: 10, widths: [4, 6, 8] });
  const before = memory(currentBackend()).bytes;
  const example = full([1, 1, 16, 16], 0);
  const audit = await auditModel(model, { example });
  dispose(example);
  t.ok(memory(currentBackend()).bytes <= before, 'nothing is left in memory');
  t.equal(audit.proved, true);
  t.same(
    audit.layers.map(({ layer: name, bound, proved }) => [name, bound, proved]),
    [
      ['stages.0.conv', null, null],
      ['stages.1.conv', 'a2q', true],
      ['stages.2.conv', 'a2q', true],
      ['fc', null, null],
    ],
  );
  const constrained = audit.layers.slice(1, 3);
  t.equal(audit.safeBits, Math.max(...constrained.map(({ safeBits }) => safeBits)));
  t.ok(constrained.every(({ safeBits, budgetUsed }) => safeBits <= 11 && (budgetUsed ?? 2) <= 1));
  const sizes = constrained.map(({ channels, length }) => channels * length);
  const zeros = constrained.reduce((sum, { sparsity }, i) => sum + sparsity * sizes[i], 0);
  t.ok(Math.abs(audit.sparsity - zeros / (sizes[0] + sizes[1])) < 1e-12, 'of the constrained layers');
});

/** A quantizer that returns what it is told to. */
function returning(change: Partial<QuantTensor>): WeightQuantizerFactory {
  class Returning extends AccumulatorAwareQuantizer {
    override quantize(): QuantTensor {
      return { ...fixed(this.bits), ...change };
    }
  }
  return (w, input) => new Returning('a2q+', { bits: 3, accumulatorBits: 7 }, w, input);
}

const rows = (change: (q: number) => number) => tensor(ROWS.map((row) => row.map((q) => change(q / 2))));

t.test('weights that are no integers are refused by name', async (t) => {
  const cases: [string, Partial<QuantTensor>, RegExp][] = [
    [
      'beside the grid',
      { value: rows((w) => w * 0.99) },
      /fc .*: weight 0 of channel 0 is 1\.48.*, on a grid of step 0\.5/,
    ],
    ['by one rounding', { value: rows((w) => w * (1 + 2 ** -23)) }, /weight 0 of channel 0 is 1\.5000/],
    ['no number', { value: rows((w) => (w === 0 ? Number.NaN : w)) }, /weight 2 of channel 0 is NaN/],
    ['infinite', { value: rows((w) => w * Number.POSITIVE_INFINITY) }, /weight 0 of channel 0 is Infinity/],
    ['beyond 3 bits', { value: rows((w) => w + 2) }, /weight 0 of channel 0 is 3\.5, on a grid of .* from -3 to 3/],
    ['a scale of 0', { scale: full([2, 1], 0) }, /the scale of channel 0 is 0/],
    ['a negative scale', { scale: tensor([[0.5], [-0.5]]) }, /the scale of channel 1 is -0\.5/],
    ['a scale that is no number', { scale: full([1], Number.NaN) }, /the scale of channel 0 is NaN/],
    ['more scales than channels', { scale: full([3, 1], 0.5) }, /with 3 scales/],
    ['more bits than said', { bits: 4 }, /the quantizer gives 4 bits/],
  ];
  for (const [what, change, message] of cases) {
    await t.rejects(auditLayer('fc', layer(returning(change))), { name: 'QuantError', message }, what);
  }
  t.match(await auditLayer('fc', layer(returning({ scale: full([1], 0.5) }))), { proved: true }, 'one scale for all');
});

t.test('an input quantizer that does not quantize', async (t) => {
  const broken = layer(claim(7));
  const act = broken.input;
  act.steps.value = act.collectStatsSteps + 1;
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 200]) {
    act.value.write(Float32Array.of(value));
    const audit = await auditLayer('fc', broken);
    t.equal(audit.proved, null, `log2 of the threshold is ${value}`);
    t.match(audit.problems, [/the scale of its inputs is/]);
  }
  act.value.write(Float32Array.of(0));
  t.equal((await auditLayer('fc', broken)).proved, true);
  act.calibrating = true;
  t.match(await auditLayer('fc', broken), { proved: null, problems: [/is being calibrated/] });
  act.calibrating = false;
  broken.quantizeWeights = false;
  t.match(await auditLayer('fc', broken), { proved: null, problems: [/float weights/] });
  broken.quantizeWeights = true;
  broken.product = (self, x, w) => self.multiply(x, w.value);
  t.match(await auditLayer('fc', broken), { proved: null, problems: [/product is replaced/] });
});

t.test('more channels than a call takes arguments', async (t) => {
  const wide = new QuantLinear(1, 150_000, {
    weight: affine({ bits: 4 }),
    input: uintActivation({ bits: 4 }),
    bias: false,
    random: new Random(0),
  });
  t.match(await auditLayer('fc', wide), { safeBits: 8, channels: 150_000, min: -105, max: 105 });
});

t.test('nothing to audit, or no integers', async (t) => {
  await t.rejects(auditModel(new Sequential()), { message: /no quantized layer/ });
  class Broken extends WeightQuantizer {
    override quantize(): QuantTensor {
      return fixed(2);
    }
  }
  await t.rejects(
    auditLayer(
      'conv1',
      layer(() => new Broken(2)),
    ),
    QuantError,
  );
  await t.rejects(
    auditLayer(
      'conv1',
      layer(() => new Broken(2)),
    ),
    {
      message: /the weights of conv1 are no integers of 2 bits/,
    },
  );
  const qat = layerPolicy({ method: 'qat', weightBits: 4, actBits: 4, random: new Random(2) });
  const model = new SmallCnn(qat, { inChannels: 1, imageSize: 16, classes: 10, widths: [4, 6] });
  t.match(await auditModel(model), { proved: false, safeBits: null });
});
