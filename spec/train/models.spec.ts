import t from 'tap';
import '../../lib/kernels/registry.js';
import { noGrad } from '../../lib/autograd/tape.js';
import { glyphs } from '../../lib/data/glyphs.js';
import { hiddenLayers } from '../../lib/deploy/simulate.js';
import { WeightedModule } from '../../lib/nn/layers/weighted.js';
import { MODEL_NAMES, MODELS, type ModelName } from '../../lib/nn/models/index.js';
import { AccumulatorAwareQuantizer } from '../../lib/quant/accumulatorAware.js';
import { quantLayers } from '../../lib/quant/layers.js';
import { zeros } from '../../lib/tensor/create.js';
import { DataError, QuantError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { scope } from '../../lib/tensor/storage.js';
import type { DataShape } from '../../lib/train/config.js';
import { drawHeWeights } from '../../lib/train/heWeights.js';
import { buildModel, shapeOf } from '../../lib/train/models.js';
import { tinyRun } from './runs.js';

const colour: DataShape = { kind: 'labels', inputShape: [3, 32, 32], signed: true, classes: 7 };
const pairs: DataShape = { kind: 'images', inputShape: [3, 6, 6], signed: false, factor: 3 };

t.test('every model runs in float and quantized, on images of its data', async (t) => {
  for (const name of MODEL_NAMES) {
    const [shape, output] = MODELS[name].kind === 'images' ? [pairs, [2, 3, 18, 18]] : [colour, [2, 7]];
    // Evaluation of the big ones is the conformance suite's affair; that they are built suffices here.
    for (const method of ['float', 'a2q+'] as const) {
      const model = buildModel({ ...tinyRun(), model: name, method, shape, accumulatorBits: 16 }).eval();
      if (name === 'espcn' || name === 'cnn') {
        const y = scope(() => noGrad(() => model.forward(zeros([2, ...shape.inputShape]))));
        t.same(y.shape, output, `${name} ${method}`);
        y.dispose();
      }
      t.equal([...quantLayers(model)].length > 0, method === 'a2q+', `${name} ${method} layers`);
      model.dispose();
    }
  }
});

t.test('bits and policy reach the layers', async (t) => {
  const model = buildModel({ ...tinyRun(), weightBits: 5, actBits: 3, accumulatorBits: 13 });
  const layers = [...quantLayers(model)].map(([name, layer]) => {
    const { weightQuant: quantizer } = layer;
    const bound = quantizer instanceof AccumulatorAwareQuantizer ? [quantizer.kind, quantizer.accumulatorBits] : [];
    return [name, quantizer.bits, layer.input.bits, ...bound];
  });
  t.same(layers, [
    ['stages.0.conv', 8, 8],
    ['stages.1.conv', 5, 3, 'a2q+', 13],
    ['stages.2.conv', 5, 3, 'a2q+', 13],
    ['fc', 8, 8],
  ]);
});

t.test('layers keep their role, float and quantized', (t) => {
  for (const name of MODEL_NAMES) {
    const shape = MODELS[name].kind === 'images' ? pairs : colour;
    const roles = (['float', 'a2q+'] as const).map((method) => {
      const model = buildModel({ ...tinyRun(), model: name, method, shape, accumulatorBits: 16 });
      const layers = model.namedModules().flatMap(([, module]) => (module instanceof WeightedModule ? [module] : []));
      if (method === 'a2q+') t.same(hiddenLayers(model), [...quantLayers(model)].slice(1, -1), `${name} hidden layers`);
      model.dispose();
      return layers.map(({ role }) => role);
    });
    const middle = new Array<string>(roles[0].length - 2).fill('hidden');
    for (const found of roles) t.same(found, ['first', ...middle, 'last'], name);
  }
  t.end();
});

t.test('the seed decides the weights', async (t) => {
  const weights = async (seed: number) => (await buildModel({ ...tinyRun(), seed }).stateDict()).get('fc.weight')?.data;
  t.same(await weights(1), await weights(1));
  t.notSame(await weights(1), await weights(2));
});

t.test('what does not go together is refused', async (t) => {
  const build = (model: ModelName, shape: DataShape) => () => buildModel({ ...tinyRun(), model, shape });
  t.throws(build('espcn', colour), DataError);
  t.throws(build('espcn', colour), { message: /espcn: trains on pairs of images; the dataset holds labels/ });
  t.throws(build('cnn', pairs), {
    message: /cnn: trains on images with labels; the dataset holds pairs of images: choose --dataset glyphs/,
  });
  t.throws(build('resnet18', { ...colour, inputShape: [1, 32, 32] }), { message: /wants RGB images; these have 1/ });
  t.throws(build('cnn', { ...colour, inputShape: [3, 32, 16] }), { message: /wants square images; these are 16x32/ });
  t.throws(() => buildModel({ ...tinyRun(), accumulatorBits: 4 }), QuantError);
  const { accumulatorBits: _, ...without } = tinyRun();
  t.throws(() => buildModel(without), { message: /needs the accumulator bits P/ });
});

t.test('shapes of datasets', async (t) => {
  const want = { kind: 'labels', inputShape: [1, 16, 16], classes: 10 };
  t.same(shapeOf(glyphs({ length: 1 })), { ...want, signed: true }, 'normalised');
  t.same(shapeOf(glyphs({ length: 1, normalise: false })), { ...want, signed: false });
});

t.test('He’s rule: deviation √(2/fanIn), biases 0', async (t) => {
  const model = buildModel({ ...tinyRun(), method: 'float' });
  drawHeWeights(model, new Random(9));
  const state = await model.stateDict();
  t.ok(state.get('fc.bias')?.data.every((value) => value === 0));
  for (const [name, fanIn] of Object.entries({ 'stages.2.conv.weight': 288, 'fc.weight': 512 })) {
    const data = Array.from(state.get(name)?.data ?? []);
    const mean = data.reduce((a, b) => a + b, 0) / data.length;
    const deviation = Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length);
    t.ok(Math.abs(deviation / Math.sqrt(2 / fanIn) - 1) < 0.05, `${name}: ${deviation}`);
  }
});
