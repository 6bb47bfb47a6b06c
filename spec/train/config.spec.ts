import t from 'tap';
import { DataError } from '../../lib/tensor/errors.js';
import { parseConfig, parseConfigText } from '../../lib/train/config.js';
import { tinyRun } from './runs.js';

t.test('a configuration survives its file', async (t) => {
  t.same(parseConfigText(JSON.stringify(tinyRun()), 'x'), tinyRun());
});

t.test('every wrong field is named', async (t) => {
  const bad = { ...tinyRun(), weightBits: 1, epochs: 0, extra: 1, start: { ...tinyRun().start, epInit: 'yes' } };
  t.throws(() => parseConfig(bad, 'run/config.json'), DataError);
  for (const part of [/^config: run\/config\.json: /, /weightBits: /, /epochs: /, /start\.epInit: /, /extra/]) {
    t.throws(() => parseConfig(bad, 'run/config.json'), { message: part });
  }
  t.throws(() => parseConfig({ ...tinyRun(), accumulatorBits: 33 }, 'x'), { message: /accumulatorBits/ });
  t.throws(() => parseConfig({ ...tinyRun(), schedule: { kind: 'step', stepSize: 0, gamma: 0.1 } }, 'x'), {
    message: /schedule\.stepSize/,
  });
  t.throws(() => parseConfig(null, 'x'), DataError);
  t.throws(() => parseConfigText('{"format":', 'run/config.json'), { message: /run\/config\.json is not JSON/ });
});

t.test('files of version 1 load', async (t) => {
  const old = {
    format: 'a2q-run',
    version: 1,
    model: 'espcn',
    dataset: { name: 'bsd300', factor: 3, size: null, limit: null },
    shape: { inputShape: [3, 85, 85], signed: false, classes: null, factor: 3 },
    method: 'float',
    weightBits: null,
    actBits: null,
    accumulatorBits: null,
    collectStatsSteps: 300,
    optimizer: { type: 'adam', learningRate: 1e-3, momentum: 0, weightDecay: 1e-5 },
    schedule: { kind: 'exponential', gamma: 0.999 },
    epochs: 300,
    batchSize: 8,
    penaltyWeight: 1e-3,
    seed: 0,
    limitBatches: null,
    start: { initFrom: null, heInit: true, epInit: false, calibrationSamples: 0, biasCorrection: false },
    backend: 'wasm',
  };
  const { weightBits: _, actBits: __, accumulatorBits: ___, limitBatches: ____, ...kept } = old;
  const today = {
    ...kept,
    version: 2,
    dataset: { name: 'bsd300', factor: 3 },
    shape: { kind: 'images', inputShape: [3, 85, 85], signed: false, factor: 3 },
    optimizer: { type: 'adam', learningRate: 1e-3, weightDecay: 1e-5 },
    start: { heInit: true, epInit: false, reestimationSamples: 0, calibrationSamples: 0, biasCorrection: false },
  };
  t.strictSame(parseConfig({ ...old, freezeNorms: null }, 'x'), today);
  const sgd = { type: 'sgd', learningRate: 1e-3, momentum: 0.5, weightDecay: 0 };
  t.strictSame(parseConfig({ ...old, optimizer: sgd }, 'x').optimizer, sgd);
  const labels = { inputShape: [3, 32, 32], signed: true, classes: 10, factor: null };
  t.match(parseConfig({ ...old, shape: labels }, 'x').shape, { kind: 'labels', classes: 10 });
  t.throws(() => parseConfig({ ...old, version: 3 }, 'run/config.json'), {
    message: 'config: run/config.json: version 3 is not known; known are 1 and 2',
  });
  t.throws(() => parseConfig({ format: 'a2q-run', version: 1 }, 'x'), { message: /epochs: .*shape: / });
});

t.test('objects nested without end, and sides that no data have', async (t) => {
  for (const version of [1, 2]) {
    for (const [open, close] of [
      ['{"a":', '}'],
      ['[', ']'],
    ]) {
      const deep = `${open.repeat(1e5)}1${close.repeat(1e5)}`;
      t.throws(() => parseConfigText(`{"version":${version},"start":${deep}}`, 'x'), DataError);
    }
  }
  const { shape } = tinyRun();
  const sides = (...inputShape: number[]) => parseConfig({ ...tinyRun(), shape: { ...shape, inputShape } }, 'x');
  t.equal(sides(3, 1024, 1024).shape.inputShape[2], 1024);
  t.throws(() => sides(3, 1025, 1024), { message: /x: shape\.inputShape\.1: / });
});
