import t from 'tap';
import '../../lib/kernels/registry.js';
import { glyphs } from '../../lib/data/glyphs.js';
import { DataError } from '../../lib/tensor/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/tensor/safetensors.js';
import {
  decodeCheckpoint,
  decodeWeights,
  encodeModel,
  encodeTraining,
  restoreModel,
} from '../../lib/train/checkpoint.js';
import { fit } from '../../lib/train/fit.js';
import { buildModel, sourceOf } from '../../lib/train/models.js';
import { makeOptimizer, makeSchedule } from '../../lib/train/recipes.js';
import { classification } from '../../lib/train/task.js';
import { tinyRun } from './runs.js';

const config = tinyRun({ collectStatsSteps: 2 });
const model = buildModel(config);
const optimizer = makeOptimizer(model, config.optimizer);
const { position } = await fit({
  model,
  optimizer,
  schedule: makeSchedule(config.schedule, 1),
  task: classification(),
  dataset: glyphs({ length: 40, normalise: false }),
  batchSize: 8,
  epochs: 1,
  seed: 0,
});
const best = { epoch: 0, metric: 0.25 };
const bytes = await encodeTraining(model, optimizer, config, { position, best });

t.test('everything that training needs is in the file', async (t) => {
  const read = decodeCheckpoint(bytes, 'last');
  t.same(read.config, config);
  t.same(read.best, best);
  t.same(read.state, await model.stateDict());
  t.same(read.training?.position, position);
  t.same({ ...read.training?.optimizer }, { ...(await optimizer.state()) });
  t.same(read.state.get('stages.0.bn.num_batches_tracked')?.data, Int32Array.of(5));
  t.same(read.state.get('stages.0.act.steps')?.data, Int32Array.of(3), 'one past the statistics phase');
  t.ok(read.training?.optimizer.tensors.has('0.first'), 'Adam’s averages');
});

t.test('what training can start from leaves the state of quantizers out', async (t) => {
  const float = [...(await buildModel(tinyRun({ method: 'float' })).stateDict()).keys()];
  t.same([...decodeWeights(bytes, 'last').keys()], float);
  const { tensors, metadata } = decodeSafetensors(bytes, 'last');
  const { a2q_quantizers: names, a2q_crc32: _, ...earlier } = metadata;
  t.match(JSON.parse(names ?? ''), ['input', 'stages.0.conv.weight_quant', 'stages.0.act']);
  const old = encodeSafetensors({ tensors, metadata: earlier });
  t.same([...decodeWeights(old, 'old').keys()], float, 'earlier versions did not list quantizers');
  const entry = { shape: [1], data: Float32Array.of(3) };
  const foreign = encodeSafetensors({ tensors: new Map([['head.value', entry]]), metadata: {} });
  t.same([...decodeWeights(foreign, 'foreign')], [['head.value', entry]], 'a file of others is taken as it is');
});

t.test('equal states give equal bytes', async (t) => {
  t.same(await encodeTraining(model, optimizer, config, { position, best }), bytes);
  const read = decodeCheckpoint(bytes, 'last');
  const twin = buildModel(config);
  restoreModel(twin, read.state, 'last');
  const other = makeOptimizer(twin, config.optimizer);
  if (read.training) other.loadState(read.training.optimizer);
  t.same(await encodeTraining(twin, other, config, { position, best }), bytes, 'after a round trip');
});

t.test('a model alone', async (t) => {
  const read = decodeCheckpoint(await encodeModel(model, config, best), 'best');
  t.equal(read.training, null);
  t.same(read.best, best);
  t.same(read.state, await model.stateDict());
  t.equal(decodeCheckpoint(await encodeModel(model, config), 'best').best, null);
});

t.test('damaged and foreign files', async (t) => {
  const { tensors, metadata: whole } = decodeSafetensors(bytes, 'x');
  const { a2q_crc32: _, ...metadata } = whole;
  const read = (change: Record<string, string>) =>
    decodeCheckpoint(encodeSafetensors({ tensors, metadata: { ...metadata, ...change } }), 'some.file');
  t.throws(() => read({ a2q_config: '{' }), DataError);
  t.throws(() => read({ a2q_config: '{' }), { message: /some\.file: a2q_config is not JSON/ });
  t.throws(() => read({ a2q_config: '{}' }), { message: /some\.file: a2q_config: format: / });
  t.throws(() => read({ a2q_state: '{"position":3}' }), { message: /some\.file: its training state is damaged/ });
  const foreign = encodeSafetensors({ tensors, metadata: { format: 'pt' } });
  t.throws(() => decodeCheckpoint(foreign, 'some.file'), { message: /some\.file says nothing of the model/ });
  const other = buildModel(tinyRun({ method: 'float' }));
  t.throws(() => restoreModel(other, new Map(tensors), 'some.file'), { message: /some\.file does not fit the model/ });
});

t.test('a flipped byte is named with its tensor', async (t) => {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  for (const [
    name,
    {
      data_offsets: [begin, end],
    },
  ] of Object.entries<{ data_offsets: number[] }>(header)) {
    const flipped = bytes.slice();
    flipped[start + Math.floor((begin + end) / 2)] ^= 1;
    const message = `checkpoint: some.file: ${name} is damaged: its checksum is not the one that was written`;
    t.throws(() => decodeCheckpoint(flipped, 'some.file'), { name: 'DataError', message }, name);
    t.throws(() => decodeWeights(flipped, 'some.file'), { message }, name);
  }
});

t.test('what was changed, added or taken away after writing is named', async (t) => {
  const { tensors, metadata } = decodeSafetensors(bytes, 'x');
  const rewritten = (change: { tensors?: typeof tensors; metadata?: Record<string, string> }) => () =>
    decodeCheckpoint(encodeSafetensors({ tensors, metadata, ...change }), 'some.file');
  const config = (metadata['a2q_config'] ?? '').replace(/"epochs":\d+/, '"epochs":77');
  t.throws(rewritten({ metadata: { ...metadata, a2q_config: config } }), {
    message: /some\.file: __metadata__\.a2q_config is damaged/,
  });
  const more = new Map([...tensors, ['stranger', { shape: [1], data: Float32Array.of(0) }]]);
  t.throws(rewritten({ tensors: more }), { message: /stranger has no checksum/ });
  const fewer = new Map([...tensors].filter(([name]) => name !== 'fc.weight'));
  t.throws(rewritten({ tensors: fewer }), { message: /fc\.weight is missing/ });
  for (const sums of ['{}', '[1]', 'x', '{"fc.weight":1}']) {
    t.throws(rewritten({ metadata: { ...metadata, a2q_crc32: sums } }), {
      message: /checksums \(a2q_crc32\) are damaged|no checksum/,
    });
  }
  const { a2q_crc32: _, ...without } = metadata;
  t.same(rewritten({ metadata: without })().state, await model.stateDict(), 'files without checksums are read');
});

t.test('a model is refused before it is made if the file does not hold its weights', async (t) => {
  const { state } = decodeCheckpoint(bytes, 'last');
  const source = sourceOf(state, 'last');
  const huge = (shape: object) => () =>
    buildModel({ ...config, shape: { ...config.shape, ...shape } as never }, { source });
  t.throws(huge({ classes: 1e12 }), {
    name: 'DataError',
    message: /last: its configuration asks for \d+ weights or more; it holds \d+ numbers/,
  });
  t.throws(huge({ inputShape: [1, 2 ** 40, 2 ** 40] }), DataError);
  t.throws(huge({ inputShape: [2 ** 50, 16, 16] }), DataError);
  buildModel(config, { source }).dispose();
  const old = encodeSafetensors({
    tensors: new Map(state),
    metadata: { a2q_config: JSON.stringify({ ...config, shape: { ...config.shape, classes: 1e12 } }) },
  });
  t.throws(() => decodeWeights(old, 'old'), { message: /old: its configuration asks for/ });
});
