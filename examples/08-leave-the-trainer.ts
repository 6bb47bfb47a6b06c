/**
 * Lesson 8. A network is trained. What is left of it once every number is an integer, and is it still the same one?
 *
 * The idea. A layer that was trained for quantization computes, from integers x of N bits and q of M bits,
 *
 *     a = Σ q·x,     y = clip(round(f(a)/s), 0, 2^N − 1),
 *
 * where f is all that stands between the accumulator a and the next quantizer: scales, batch norm, bias, ReLU. f is
 * monotone, whatever float32 rounds on the way. So y is a count: of 2^N − 1 integer thresholds, how many has a reached?
 *
 *     y = #{k : a ≥ θ_k},     θ_k = the first integer a at which the trained model itself gives k.
 *
 * The thresholds are found by asking the model's own float program, not by algebra. What remains is sums and
 * comparisons of integers, and because the layer was trained with A2Q+, the sums fit P bits.
 *
 * What you should see: a file of half the size of its floats, thresholds included; equal to the trained model at every
 * layer and image, on the plain engine and on the fast one; and what the cheaper way (multiply and shift) changes.
 */
import {
  Adam,
  classification,
  cosineAnnealingLR,
  encodeNetwork,
  evaluate,
  fit,
  glyphs,
  layerPolicy,
  lower,
  observeIntegers,
  Random,
  SmallCnn,
  tensor,
  zeros,
} from '../lib/index.js';
import { createRuntime, decodeOutput, endingAt, inferRanges, loadNetwork, quantizeInput } from '../lib/runtime.js';
import { claim, heading, table } from './story.js';

const P = 12;
const train = glyphs({ length: 1280, normalise: false });
const test = glyphs({ length: 300, normalise: false, split: 'test' });
const shape = { inChannels: 1, imageSize: 16, classes: test.classes.length };
const bits = { weightBits: 4, actBits: 4, accumulatorBits: P } as const;

heading('A trained network');
const make = layerPolicy({ method: 'a2q+', ...bits, collectStatsSteps: 20, random: new Random(0) });
const model = new SmallCnn(make, shape);
const task = classification();
const optimizer = new Adam(model.parameters(), { learningRate: 1e-2 });
const epochs = 3;
const schedule = cosineAnnealingLR({ period: epochs });
await fit({ model, optimizer, schedule, task, dataset: train, batchSize: 32, epochs, seed: 0 });
const { metric: accuracy } = await evaluate(model, test, task, { batchSize: 100 });
claim(accuracy > 0.5, `${percent(accuracy)} of ${test.length} unseen glyphs, in float32 that plays at integers`);

heading('In integers');
const example = zeros([1, 1, 16, 16]);
const graph = await lower(model, example, { name: 'glyphs' });
const bytes = encodeNetwork(graph);
const network = loadNetwork(bytes, 'the file');
const ranges = inferRanges(network);
table(
  ['value', 'operation', 'P', 'smallest', 'largest'],
  network.nodes.map((node) => {
    const range = ranges.get(node.name);
    const claimed = 'accumulatorBits' in node ? (node.accumulatorBits ?? '') : '';
    const [low, high] = [Math.min(...(range?.low ?? [])), Math.max(...(range?.high ?? []))];
    return [node.name, node.op === 'requantize' ? node.mode : node.op, claimed, low, high];
  }),
);
const floats = 4 * model.parameters().reduce((sum, { size }) => sum + size, 0);
console.log(`  the file has ${bytes.length} bytes; the parameters alone, as float32, ${floats}`);
const constrained = network.nodes.filter((node) => 'accumulatorBits' in node && node.accumulatorBits === P);
const holds = (value: number) => value >= -(2 ** (P - 1)) && value < 2 ** (P - 1);
const fits = constrained.every(({ name }) =>
  [ranges.get(name)?.low, ranges.get(name)?.high].every((x) => x?.every(holds)),
);
claim(constrained.length > 0 && fits, `every sum of its ${constrained.length} hidden layers fits ${P} bits`);

heading('The same network');
const { inputs, labels } = await samples();
const x = quantizeInput(network, inputs, [test.length, 1, 16, 16]);
const images = tensor(inputs, [test.length, 1, 16, 16]);
const { values, output } = await observeIntegers(model, images);
const rows: [string, number, number][] = [];
for (const { name } of network.nodes) {
  const runtime = await createRuntime(endingAt(network, name), { engine: 'wasm', threads: 1 });
  const { data } = await runtime.run(x);
  runtime.dispose();
  const wanted = values.get(name)?.data ?? [];
  rows.push([name, data.length, data.filter((value, at) => value !== wanted[at]).length]);
}
table(['value', 'integers', 'other than in the model'], rows);
claim(
  rows.every(([, , differing]) => differing === 0),
  `${rows.reduce((sum, [, count]) => sum + count, 0)} integers, and not one differs`,
);

heading('Every engine, and the cheaper way');
for (const options of [{ engine: 'reference' }, { engine: 'wasm' }, { engine: 'wasm', threads: 2 }] as const) {
  const runtime = await createRuntime(network, options);
  const logits = decodeOutput(network, await runtime.run(x));
  const same = logits.every((value, i) => value === output.data[i]);
  claim(same, `${runtime.name}: the model’s own logits, ${percent(share(logits))} right`);
  runtime.dispose();
}
const fixed = await lower(model, example, { name: 'glyphs', requantization: 'fixed' });
const runtime = await createRuntime(fixed);
const right = share(decodeOutput(fixed, await runtime.run(x)));
claim(Math.abs(right - accuracy) <= 0.01, `multiplied and shifted in place of thresholds: ${percent(right)} right`);

/** The test images as the model takes them, and what they show. */
async function samples() {
  const area = 16 * 16;
  const pixels = new Float32Array(test.length * area);
  const shown: number[] = [];
  for (let i = 0; i < test.length; i++) shown.push(test.write(i, pixels.subarray(i * area, (i + 1) * area), null));
  return { inputs: pixels, labels: shown };
}

/** The share of images whose largest logit is the right one. */
function share(logits: Float32Array): number {
  const classes = test.classes.length;
  const hits = labels.filter((label, i) => {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row)) === label;
  });
  return hits.length / labels.length;
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
