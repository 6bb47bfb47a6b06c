import t from 'tap';
import { mul } from '../../lib/autograd/ops.js';
import { auditLayer, auditModel } from '../../lib/deploy/audit.js';
import { integerLayers } from '../../lib/deploy/exchange/integerLayers.js';
import { drawWeights, integerWeights } from '../../lib/deploy/integerWeights.js';
import { withAccumulators } from '../../lib/deploy/simulate.js';
import { Sequential } from '../../lib/nn/layers/sequential.js';
import { AccumulatorAwareQuantizer, a2qPlus } from '../../lib/quant/accumulatorAware.js';
import { QuantLinear, QuantReLU } from '../../lib/quant/layers.js';
import { integers, type QuantTensor } from '../../lib/quant/quantTensor.js';
import { WeightQuantizer, type WeightQuantizerFactory } from '../../lib/quant/weightQuantizer.js';
import { full, tensor, uniform } from '../../lib/tensor/create.js';
import { ArgumentError, QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { dispose } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';

/** All weights of a layer are what `q` says at that moment; claims 10 bits, which 15·7·8 overflows. */
function claiming(q: (self: WeightQuantizer) => number): WeightQuantizerFactory {
  class Own extends AccumulatorAwareQuantizer {
    override quantize(w: Tensor): QuantTensor {
      return { value: full(w.shape, q(this)), scale: full([], 1), bits: this.bits, signed: true, narrow: true };
    }
  }
  return (w, input) => new Own('a2q', { bits: 4, accumulatorBits: 10 }, w, input);
}

const example = uniform([2, 8], new Random(1));

function quantized(weight: WeightQuantizerFactory, Layer = QuantLinear): Sequential {
  const act = new QuantReLU({ bits: 4 });
  const layer = new Layer(8, 2, { weight, input: act, random: new Random(0) });
  return new Sequential(act, layer);
}

const layerOf = (model: Sequential) => [...model.children()][1][1] as QuantLinear;

t.test('weights are those of evaluation, whatever the mode; the modes stay', async (t) => {
  const model = quantized(claiming(({ training }) => (training ? 0 : 7)));
  model.train();
  t.match(await auditModel(model, { example }), { proved: false, layers: [{ proved: false, max: 840 }] });
  t.match(await auditLayer('1', layerOf(model)), { proved: false, max: 840 });
  t.equal((await integerWeights('1', layerOf(model))).q[0], 7);
  t.equal((await integerLayers(model))[0].weights[0], 7);
  const { overflows, result } = await withAccumulators(model, { accumulatorBits: 8, overflow: 'wrap' }, () => {
    model.forward(full([1, 8], 1));
    return model.training;
  });
  t.same([overflows > 0, result], [true, false]);
  t.ok(model.namedModules().every(([, module]) => module.training));
  layerOf(model).weightQuant.training = false;
  t.throws(
    () =>
      drawWeights(
        quantized(() => new Nothing(4))
          .children()
          .next().value?.[1] as never,
      ),
    ArgumentError,
  );
  t.equal(layerOf(model).weightQuant.training, false);
  t.equal(layerOf(model).training, true, 'each module its own mode');
});

t.test('a frozen layer is audited in training mode too', async (t) => {
  const model = quantized(a2qPlus({ bits: 4, accumulatorBits: 10 })).train();
  const layer = layerOf(model);
  const { q, scales } = await integerWeights('1', layer);
  layer.freeze(q, scales);
  t.match(await auditModel(model, { example }), { proved: true });
  t.same([layer.training, layer.frozen], [true, true]);
});

t.test('weights that differ from call to call are not proved, by name', async (t) => {
  let calls = 0;
  const alternating = quantized(claiming(() => ++calls % 2));
  const audit = await auditModel(alternating, { example });
  t.match(audit, { proved: false, layers: [{ proved: null }] });
  t.match(audit.layers[0].problems.join(), /gives other weights each time|multiplies with other weights/);
  t.match((await auditLayer('1', layerOf(alternating))).problems, [/gives other weights each time/, /author's word/]);
  await t.rejects(integerWeights('1', layerOf(alternating)), QuantError);

  // What only the forward pass multiplies with is seen in the forward pass.
  class Other extends QuantLinear {
    override forward(x: Tensor): Tensor {
      const w = this.quantWeight();
      return this.product?.(this, x, { ...w, value: mul(w.value, 2) }) ?? super.forward(x);
    }
  }
  const other = await auditModel(
    quantized(
      claiming(() => 1),
      Other,
    ),
    { example },
  );
  t.match(other.layers, [{ proved: null, problems: ['its forward pass multiplies with other weights'] }]);
  t.match(await auditModel(quantized(claiming(() => 1)), { example }), { proved: true });
});

t.test('a multiply of one’s own is not proved, of a class or of a layer', async (t) => {
  class Raw extends QuantLinear {
    override multiply(x: Tensor, _w: Tensor): Tensor {
      return super.multiply(mul(x, 100), this.weight);
    }
  }
  const weight = a2qPlus({ bits: 4, accumulatorBits: 10 });
  const one = quantized(weight);
  const own = layerOf(one);
  const { multiply } = QuantLinear.prototype;
  own.multiply = (x, w) => multiply.call(own, mul(x, 100), w);
  for (const model of [quantized(weight, Raw), one]) {
    const audit = await auditModel(model, { example });
    t.match(audit, { proved: false, problems: [/a matmul runs outside/], layers: [{ proved: null }] });
    t.match(audit.layers[0].problems, [/its multiply is its author’s own/]);
    t.match((await auditLayer('1', layerOf(model))).problems[0], /its multiply/);
  }
});

t.test('of weights that are all 0 no narrower register is told of', async (t) => {
  const { layers } = await auditModel(quantized(claiming(() => 0)), { example });
  t.match(layers, [{ proved: true, safeBits: 1, trial: { overflows: 0, oneBitLessOverflows: null } }]);
});

t.test('the length of a dot product is that of the weights', async (t) => {
  class Short extends QuantLinear {
    override get dotLength(): number {
      return 1;
    }
  }
  t.match(
    await auditModel(
      quantized(
        claiming(() => 7),
        Short,
      ),
      { example },
    ),
    {
      proved: false,
      layers: [{ length: 8, proved: false }],
    },
  );
});

class Nothing extends WeightQuantizer {
  override quantize(): QuantTensor {
    return undefined as unknown as QuantTensor;
  }
}

t.test('a quantizer that claims P in a way of its own is told so', async (t) => {
  class Promising extends WeightQuantizer {
    readonly accumulatorBits = 10;
    override quantize(w: Tensor): QuantTensor {
      return { value: full(w.shape, 1), scale: full([], 1), bits: 4, signed: true, narrow: true };
    }
  }
  const audit = await auditModel(
    quantized(() => new Promising(4)),
    { example },
  );
  t.match(audit.layers, [{ accumulatorBits: null, problems: [/only an AccumulatorAwareQuantizer does/] }]);
});

t.test('what a layer is not given is named', (t) => {
  const random = new Random(0);
  const weight = a2qPlus({ bits: 4, accumulatorBits: 12 });
  const input = new QuantReLU({ bits: 4 });
  t.throws(() => new QuantLinear(4, 2, { weight, random } as never), { name: 'ArgumentError', message: /input/ });
  t.throws(() => new QuantLinear(4, 2, { input, random } as never), { name: 'ArgumentError', message: /weight/ });
  const empty = new QuantLinear(4, 2, { weight: () => new Nothing(4), input, random });
  t.throws(() => empty.forward(full([1, 4], 1)), { name: 'ArgumentError', message: /weight quantizer returns/ });
  t.throws(() => new QuantLinear(4, 2, { weight: () => undefined as never, input, random }), /weight/);
  t.end();
});

t.test('no integer is −0', async (t) => {
  const q = integers({ value: tensor([-0, -0.1, 0]), scale: tensor([1]), bits: 4, signed: true, narrow: true });
  t.ok([...(await q.data())].every((value) => Object.is(value, 0)));
  dispose(q);
});
