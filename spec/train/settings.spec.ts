import t from 'tap';
import { DATASET_NAMES } from '../../lib/data/node/datasets.js';
import { DataError } from '../../lib/tensor/errors.js';
import { configJsonSchema, type RunSettings } from '../../lib/train/config.js';
import { formatSchedule, parseSchedule } from '../../lib/train/schedules.js';
import { differences, resolveSettings, SETTINGS } from '../../lib/train/settings.js';

function resolve(given: Readonly<Record<string, unknown>>, saved: RunSettings | null = null): RunSettings {
  return resolveSettings(new Map(Object.entries(given)), saved);
}

const GLYPHS = { 'dataset.name': 'glyphs', model: 'cnn' };

t.test('recipes and defaults fill in what was not given', async (t) => {
  t.strictSame(resolve({ ...GLYPHS, method: 'a2q+', accumulatorBits: 12, epochs: 3 }), {
    dataset: { name: 'glyphs' },
    model: 'cnn',
    method: 'a2q+',
    weightBits: 4,
    actBits: 4,
    accumulatorBits: 12,
    collectStatsSteps: 300,
    start: { heInit: false, epInit: true, reestimationSamples: 0, calibrationSamples: 0, biasCorrection: true },
    optimizer: { type: 'adam', learningRate: 1e-3, weightDecay: 1e-5 },
    schedule: { kind: 'cosine' },
    epochs: 3,
    batchSize: 64,
    penaltyWeight: 1e-3,
    seed: 0,
  });
  t.match(resolve({ 'dataset.name': 'bsd300', model: 'espcn', method: 'float', 'dataset.factor': 2 }), {
    dataset: { name: 'bsd300', factor: 2 },
    start: { heInit: true, epInit: false, calibrationSamples: 0, biasCorrection: false },
    epochs: 300,
    batchSize: 8,
  });
  const tuned = resolve({ ...GLYPHS, method: 'qat', 'start.initFrom': 'run', 'start.heInit': true });
  t.match(tuned, { epochs: 4, start: { initFrom: 'run', heInit: false, calibrationSamples: 1000, epInit: false } });
});

t.test('an optimizer of another kind keeps the recipe’s rate', async (t) => {
  const sgd = resolve({ ...GLYPHS, method: 'float', 'optimizer.type': 'sgd' });
  t.strictSame(sgd.optimizer, { type: 'sgd', learningRate: 1e-3, momentum: 0.9, weightDecay: 1e-5 });
  const mobile = { 'dataset.name': 'cifar10', model: 'mobilenetv1', method: 'float', 'optimizer.type': 'adamw' };
  t.strictSame(resolve(mobile).optimizer, { type: 'adamw', learningRate: 0.05, weightDecay: 1e-5 });
});

t.test('a run that is gone on with comes before recipe and defaults', async (t) => {
  const saved = resolve({ ...GLYPHS, method: 'a2q', accumulatorBits: 14, batchSize: 7, 'optimizer.learningRate': 0.5 });
  t.strictSame(resolve({}, saved), saved);
  t.same(differences(saved, resolve({ epochs: 9, 'optimizer.learningRate': 0.1 }, saved)), [
    'optimizer.learningRate',
    'epochs',
  ]);
  t.same(differences(saved, resolve({ freezeNorms: 2 }, saved)), ['freezeNorms']);
});

t.test('what is missing or has no meaning is named by its flag', async (t) => {
  const cases: (readonly [Record<string, unknown>, RegExp])[] = [
    [{}, /--dataset is missing$/],
    [{ 'dataset.name': 'glyphs' }, /--model is missing$/],
    [GLYPHS, /--method is missing$/],
    [{ ...GLYPHS, method: 'a2q' }, /--acc-bits is missing; --method a2q needs it/],
    [
      { ...GLYPHS, method: 'float', weightBits: 4 },
      /--weight-bits has no meaning for --method float \(it is for qat, a2q/,
    ],
    [
      { ...GLYPHS, method: 'float', 'dataset.size': 9 },
      /--image-size has no meaning for --dataset glyphs \(it is for folder/,
    ],
    [{ ...GLYPHS, module: 'a.mjs', method: 'float' }, /--model has no meaning for --module a\.mjs$/],
    [{ ...GLYPHS, method: 'float', 'optimizer.momentum': 0.5 }, /--momentum has no meaning for --optimizer adam/],
    [{ ...GLYPHS, method: 'float', epochs: 0 }, /settings: epochs: /],
  ];
  for (const [given, message] of cases) {
    t.throws(() => resolve(given), DataError);
    t.throws(() => resolve(given), { message });
  }
});

t.test('settings come in an order in which each depends on those before it', async (t) => {
  const before = new Set<string>();
  for (const { path, when } of SETTINGS) {
    t.notOk(before.has(path), `${path} comes once`);
    if (when) t.ok(before.has(when.setting), `${path} after ${when.setting}`);
    before.add(path);
  }
  const flags = SETTINGS.map(({ flag }) => flag.split(' ')[0]);
  t.equal(new Set(flags).size, flags.length, 'no flag twice');
});

t.test('the JSON Schema says what the flags say', async (t) => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()));
  t.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema');
  t.strictSame(schema.properties.weightBits, {
    type: 'integer',
    minimum: 2,
    maximum: 16,
    description: 'bits of hidden weights',
  });
  t.match(schema.properties.seed, { default: 0, minimum: 0 });
  t.ok(['epochs', 'method', 'shape'].every((name) => schema.required.includes(name)));
  t.notOk(schema.required.includes('freezeNorms'));
  const names = schema.properties.dataset.oneOf.map(
    (each: { properties: { name: { const: string } } }) => each.properties.name.const,
  );
  t.same(names, DATASET_NAMES);
});

t.test('schedules as text', async (t) => {
  for (const text of ['constant', 'cosine', 'exponential:0.999', 'step:30:0.1', 'multistep:30,50:0.1']) {
    t.equal(formatSchedule(parseSchedule(text)), text);
  }
  t.strictSame(parseSchedule('multistep:30,50:0.1'), { kind: 'multistep', milestones: [30, 50], gamma: 0.1 });
  for (const text of ['', 'linear', 'cosine:1', 'step:30', 'step:0:1', 'step:1.5:1', 'exponential:', 'exponential:2']) {
    t.throws(() => parseSchedule(text), DataError, text);
  }
});
