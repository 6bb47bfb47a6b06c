/**
 * Lesson 7. Can a whole network be trained so that its accumulators cannot overflow?
 *
 * The idea (A2Q+, arXiv 2401.10432, eq. 12). Everything of the lessons before, put together. For each output channel,
 *
 *     q = clip(trunc((v − μ_v)/‖v − μ_v‖₁ · min(g/s, T₊)), n, p),   T₊ = (2^P − 2)/(2^N − 1),   s = 2^d,  g = 2^t,
 *
 * and the loss is L_task + λ·Σ max(g − s·T₊, 0). The weights start from a float network: EP-init projects them into the
 * budget, batch norms are re-estimated for what is left of them, calibration finds the range of the activations: that
 * is what `prepareModel` does. Training does the rest. The first and the last layer keep 8 bits and no constraint.
 *
 * What you should see: plain quantization-aware training (QAT) and A2Q+, from the same float network, both with 4-bit
 * weights and activations, for accumulators of 9 bits, where the types alone would ask for 17. As long as floats do the
 * sums, QAT is the better one: it has all the weights it likes. On real 9-bit accumulators that wrap around it falls
 * apart, while A2Q+ loses not one image, because not one partial sum overflows, and the integers of its weights prove
 * that none ever will.
 */
import {
  Adam,
  classification,
  cosineAnnealingLR,
  dataTypeAccumulatorBits,
  describeBackend,
  evaluate,
  fit,
  floatLayers,
  glyphs,
  hiddenLayers,
  inputRange,
  integers,
  layerPolicy,
  type Method,
  type Module,
  prepareModel,
  quantLayers,
  Random,
  SmallCnn,
  testAccumulator,
  withAccumulators,
} from '../lib/index.js';
import { claim, heading, table } from './story.js';

const P = 9;
const [M, N] = [4, 4];
const train = glyphs({ length: 5000, normalise: false });
const test = glyphs({ length: 400, normalise: false, split: 'test' });
const task = classification();
const shape = { inChannels: 1, imageSize: 16, classes: train.classes.length, widths: [16, 32, 32] };

heading('A float network');
console.log(`  backend ${describeBackend().name}, ${train.length} glyphs of ${train.classes.length} classes, 16×16`);
const float = new SmallCnn(floatLayers(new Random(0)), shape);
const floatSteps = await run(float, 3, 4e-3);
const accuracy = async (model: Module) => (await evaluate(model, test, task, { batchSize: 250 })).metric;
const floatAccuracy = await accuracy(float);
claim(floatAccuracy > 0.9, `${percent(floatAccuracy)} of ${test.length} unseen glyphs after ${floatSteps} steps`);

heading(`The same network in ${M}-bit weights and ${N}-bit activations`);
const qat = await quantized('qat');
const plus = await quantized('a2q+');
table(
  ['method', 'in floats', `on ${P}-bit accumulators`, 'overflows', 'of partial sums', 'zeros'],
  [qat, plus].map((result) => [
    result.method,
    percent(result.simulated),
    percent(result.onAccumulators),
    result.overflows,
    result.sums,
    percent(result.sparsity),
  ]),
);
claim(
  plus.overflows === 0 && plus.onAccumulators === plus.simulated,
  `A2Q+ is the same on ${P} bits: nothing overflowed`,
);
claim(qat.overflows > 0 && qat.onAccumulators < qat.simulated - 0.2, 'QAT overflows and loses at least 20 points');
claim(plus.onAccumulators > qat.onAccumulators + 0.1, 'on the accumulators A2Q+ is at least 10 points better');

heading('The proof');
for (const result of [qat, plus]) {
  table(
    [result.method, 'bits by type', 'largest ‖q‖₁', 'worst sums', 'bits it needs', `safe at ${P}`],
    result.layers.map(({ name, byType, l1, min, max, safeBits, safe }) => [
      name,
      byType,
      l1,
      `${min} … ${max}`,
      safeBits,
      safe ? 'yes' : 'no',
    ]),
  );
}
claim(
  plus.layers.every(({ safe }) => safe),
  `no input of ${N} bits can overflow a ${P}-bit accumulator of the A2Q+ network`,
);
claim(
  qat.layers.some(({ safe }) => !safe),
  'for QAT there is no such proof, and could not be',
);

/** Trains for some epochs, learning rate down to 0 by a cosine. @returns the steps taken */
async function run(model: Module, epochs: number, learningRate: number): Promise<number> {
  // d and t are logarithms, and Adam moves each parameter by about its rate: a scale must not outrun its weights.
  const logarithms = [...quantLayers(model)].flatMap(([, layer]) => layer.weightQuant.parameters());
  const others = model.parameters().filter((parameter) => !logarithms.includes(parameter));
  const groups = [{ parameters: others }, { parameters: logarithms, learningRate: 2e-4 }];
  const optimizer = new Adam(groups, { learningRate });
  const schedule = cosineAnnealingLR({ period: epochs });
  const result = await fit({ model, optimizer, schedule, task, dataset: train, batchSize: 64, epochs, seed: 0 });
  return result.position.step;
}

/** The float network, quantized by a method and trained on, then judged. */
async function quantized(method: Method) {
  const make = layerPolicy({ method, weightBits: M, actBits: N, accumulatorBits: P, random: new Random(1) });
  const model = new SmallCnn(make, shape);
  const source = { state: await float.stateDict(), name: 'the float network' };
  const start = {
    heInit: false,
    epInit: true,
    reestimationSamples: 2000,
    calibrationSamples: 500,
    biasCorrection: false,
  };
  await prepareModel(model, { start, seed: 0, batchSize: 100 }, source, train);
  await run(model, 3, 3e-3);
  model.eval();

  const simulated = await accuracy(model);
  const simulation = await withAccumulators(model, { accumulatorBits: P, overflow: 'wrap' }, () => accuracy(model));
  const sums = simulation.layers.reduce((total, layer) => total + layer.sums, 0);
  const { result: onAccumulators, overflows } = simulation;
  return { method, simulated, onAccumulators, overflows, sums, ...(await prove(model)) };
}

/** The exact test of every hidden layer, from the integers of its weights alone. */
async function prove(model: Module) {
  const layers = [];
  let [zeros, weights] = [0, 0];
  for (const [name, layer] of hiddenLayers(model)) {
    const q = await integers(layer.quantWeight()).data();
    const channels = q.length / layer.dotLength;
    const { safe, safeBits, channels: tests } = testAccumulator(q, channels, inputRange(layer.input), P);
    layers.push({
      name,
      byType: dataTypeAccumulatorBits(layer.dotLength, M, layer.input),
      l1: Math.max(...tests.map((channel) => channel.l1)),
      min: Math.min(...tests.map((channel) => channel.min)),
      max: Math.max(...tests.map((channel) => channel.max)),
      safeBits,
      safe,
    });
    zeros += q.filter((value) => value === 0).length;
    weights += q.length;
  }
  return { layers, sparsity: zeros / weights };
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
