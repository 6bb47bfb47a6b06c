import t from 'tap';
import '../../lib/kernels/registry.js';
import { glyphs } from '../../lib/data/glyphs.js';
import type { Module, StateDict } from '../../lib/nn/module.js';
import { activationQuantizers, quantLayers } from '../../lib/quant/layers.js';
import { DataError } from '../../lib/tensor/errors.js';
import type { RunConfig } from '../../lib/train/config.js';
import { buildModel } from '../../lib/train/models.js';
import { PREPARE_STAGES, prepareModel } from '../../lib/train/prepare.js';
import { adoptBiases, loadFloatWeights, quantizerNames, withoutQuantizers } from '../../lib/train/weights.js';
import { closeTo } from '../helpers.js';
import { tinyRun } from './runs.js';

const dataset = glyphs({ length: 20, normalise: false });

async function prepared(start: Partial<RunConfig['start']>, source: StateDict | null, stages: string[] = []) {
  const config = tinyRun({ start: { ...tinyRun().start, ...start }, accumulatorBits: 10, seed: 8 });
  const model = buildModel(config);
  const from = source && { state: source, name: 'source' };
  await prepareModel(model, config, from, dataset, { onStage: (stage) => stages.push(stage) });
  return model;
}

async function data(model: Module, name: string): Promise<number[]> {
  const entry = (await model.stateDict()).get(name);
  if (!entry) throw new Error(`there is no ${name}`);
  return Array.from(entry.data);
}

const floatState = await buildModel(tinyRun({ method: 'float', seed: 77 })).stateDict();

t.test('weights of the checkpoint, scales and norms from those weights', async (t) => {
  const model = await prepared({ epInit: false }, floatState);
  const w = Array.from(floatState.get('stages.1.conv.weight')?.data ?? []);
  t.same(await data(model, 'stages.1.conv.weight'), w);
  const K = 144;
  const rows = Array.from({ length: 32 }, (_, i) => w.slice(i * K, (i + 1) * K).map(Math.abs));
  const d = rows.map((row) => Math.log2(Math.max(...row) / 7));
  const norms = rows.map((row) => Math.log2(row.reduce((a, b) => a + b)));
  closeTo(t, await data(model, 'stages.1.conv.weight_quant.d'), d, 1e-5, 'd = log2(max|w| / 7)');
  closeTo(t, await data(model, 'stages.1.conv.weight_quant.t'), norms, 1e-5, 't = log2 of the l1 norm');
});

t.test('EP-init brings every norm under its cap', async (t) => {
  const stages: string[] = [];
  const model = await prepared({}, floatState, stages);
  t.same(stages, ['weights', 'weight scales', 'EP-init']);
  const w = await data(model, 'stages.1.conv.weight');
  const scales = (await data(model, 'stages.1.conv.weight_quant.d')).map((value) => 2 ** value);
  const cap = (2 ** 10 - 2) / (2 ** 4 - 1);
  const norms = scales.map((_, i) => w.slice(i * 144, (i + 1) * 144).reduce((sum, value) => sum + Math.abs(value), 0));
  t.ok(norms.every((norm, i) => norm <= scales[i] * cap * (1 + 1e-5)));
  t.ok(
    norms.some((norm, i) => norm > scales[i] * cap * (1 - 1e-5)),
    'and some reach it',
  );
  const first = await data(model, 'stages.0.conv.weight');
  t.same(first, Array.from(floatState.get('stages.0.conv.weight')?.data ?? []), 'unconstrained layers keep theirs');
});

t.test('calibration and bias correction, in this order, each to be switched off', async (t) => {
  const stages: string[] = [];
  const all = { calibrationSamples: 20, biasCorrection: true };
  const model = await prepared(all, floatState, stages);
  t.same(stages, ['weights', 'weight scales', 'EP-init', 'activation calibration', 'bias correction']);
  t.ok([...activationQuantizers(model)].every(([, quantizer]) => quantizer.learned));
  t.ok(
    [...quantLayers(model)].every(([, layer]) => layer.bias !== null),
    'every layer has a bias now',
  );
  const uncorrected = await prepared({ ...all, biasCorrection: false }, floatState);
  t.same(
    [...quantLayers(uncorrected)].map(([, layer]) => layer.bias !== null),
    [false, false, false, true],
  );
  const plain = await prepared({}, floatState);
  t.notOk(
    [...activationQuantizers(plain)].some(([, quantizer]) => quantizer.learned),
    'the statistics phase is to come',
  );
});

t.test('batch norms are re-estimated before calibration, and take the place of their biases', async (t) => {
  const stages: string[] = [];
  const all = { reestimationSamples: 20, calibrationSamples: 20, biasCorrection: true };
  const model = await prepared(all, floatState, stages);
  t.same(stages, [
    ...['weights', 'weight scales', 'EP-init'],
    ...['batch-norm re-estimation', 'activation calibration', 'bias correction'],
  ]);
  t.same(
    [...quantLayers(model)].map(([, layer]) => layer.bias !== null),
    [false, false, false, true],
    'only layers that had a bias have one',
  );
  const mean = await data(model, 'stages.1.bn.running_mean');
  t.ok(mean.some((value) => value !== 0) && mean.every(Number.isFinite));
  t.ok([...activationQuantizers(model)].every(([, quantizer]) => quantizer.learned));
});

t.test('a float model is only given weights', async (t) => {
  const stages: string[] = [];
  const start = { ...tinyRun().start, heInit: true, reestimationSamples: 20, calibrationSamples: 20 };
  const config = tinyRun({ method: 'float', start });
  await prepareModel(buildModel(config), config, null, dataset, { onStage: (stage) => stages.push(stage) });
  t.same(stages, ['He initialization']);
});

t.test('every stage has a name of its own and says what it does', (t) => {
  t.equal(new Set(PREPARE_STAGES.map(({ name }) => name)).size, PREPARE_STAGES.length);
  for (const { about } of PREPARE_STAGES) t.match(about, /^[A-Z].*\.$/);
  t.end();
});

t.test('a signal ends calibration between two batches', async (t) => {
  const config = tinyRun({ start: { ...tinyRun().start, calibrationSamples: 20 } });
  const controller = new AbortController();
  controller.abort(new Error('enough'));
  const preparing = prepareModel(buildModel(config), config, null, dataset, { signal: controller.signal });
  await t.rejects(preparing, { message: 'enough' });
});

t.test('a quantized checkpoint gives its weights; quantizers start anew', async (t) => {
  const source = await prepared({ calibrationSamples: 20, biasCorrection: true }, floatState);
  const state = await source.stateDict();
  const model = buildModel(tinyRun({ method: 'qat', seed: 4 }));
  await loadFloatWeights(model, state, 'source');
  t.same(await data(model, 'stages.2.conv.weight'), Array.from(state.get('stages.2.conv.weight')?.data ?? []));
  t.same(await data(model, 'stages.2.conv.bias'), Array.from(state.get('stages.2.conv.bias')?.data ?? []));
  t.notOk([...activationQuantizers(model)].some(([, quantizer]) => quantizer.learned));
  const float = buildModel(tinyRun({ method: 'float' }));
  const quantized = await prepared({}, floatState);
  const plain = await quantized.stateDict();
  await t.rejects(loadFloatWeights(float, plain, 'source'), {
    message: /18 unknown \(input\.value, input\.running_threshold/,
  });
  await loadFloatWeights(float, withoutQuantizers(quantizerNames(quantized), plain), 'source');
  t.same(await data(float, 'stages.2.conv.weight'), Array.from(plain.get('stages.2.conv.weight')?.data ?? []));
});

t.test('a checkpoint of another model changes nothing', async (t) => {
  const model = buildModel(tinyRun());
  const before = await data(model, 'fc.weight');
  const without = new Map([...floatState].filter(([name]) => name !== 'fc.weight'));
  await t.rejects(loadFloatWeights(model, without, 'some.file'), DataError);
  await t.rejects(loadFloatWeights(model, without, 'some.file'), {
    message: /some\.file is of another model: 1 entries missing \(fc\.weight\)/,
  });
  const more = new Map([...floatState, ['conv9.weight', { shape: [1], data: new Float32Array(1) }] as const]);
  await t.rejects(loadFloatWeights(model, more, 'some.file'), { message: /1 unknown \(conv9\.weight\)/ });
  const shorter = new Map([...floatState, ['fc.weight', { shape: [1], data: new Float32Array(1) }] as const]);
  await t.rejects(loadFloatWeights(model, shorter, 'some.file'), { message: /fc\.weight has shape \[1\]/ });
  t.same(await data(model, 'fc.weight'), before);
});

t.test('biases are adopted where the state has them', async (t) => {
  const model = buildModel(tinyRun());
  adoptBiases(model, new Map([['stages.1.conv.bias', { shape: [32], data: new Float32Array(32) }]]));
  t.same(
    [...quantLayers(model)].map(([, layer]) => layer.bias !== null),
    [false, true, false, true],
  );
});
