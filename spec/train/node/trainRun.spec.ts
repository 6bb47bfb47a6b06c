import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { currentBackend } from '../../../lib/kernels/registry.js';
import { DataError } from '../../../lib/tensor/errors.js';
import { memory } from '../../../lib/tensor/storage.js';
import type { RunConfig } from '../../../lib/train/config.js';
import { readCheckpoint, readLog, readWeights, runCheckpointPath } from '../../../lib/train/node/runFolder.js';
import { type RunOptions, type RunResult, trainRun } from '../../../lib/train/node/trainRun.js';
import { tinyRun } from '../runs.js';

function run(folder: string, config: RunConfig, more: Partial<RunOptions> = {}): Promise<RunResult> {
  const source = { config: config.dataset, dataDir: null };
  return trainRun({ folder, config, source, resume: false, backend: 'test', ...more });
}

/** Trains until the given step, or the given batch of the test after an epoch, and stops there. */
function interrupted(folder: string, config: RunConfig, at: { step?: number; testBatch?: number }, resume = false) {
  const controller = new AbortController();
  return run(folder, config, {
    resume,
    signal: controller.signal,
    events: {
      onStep: ({ step }) => {
        if (step === at.step) controller.abort();
      },
      onEvaluate: (done) => {
        if (done === at.testBatch) controller.abort();
      },
    },
  });
}

/** The log without what a clock says. */
async function timelessLog(folder: string): Promise<unknown[]> {
  return (await readLog(folder)).map(({ msPerStep: _, seconds: __, ...rest }) => rest);
}

t.test('a run that is interrupted and resumed yields the same bytes', async (t) => {
  const config = tinyRun({ epochs: 3 });
  const folder = t.testdir({ straight: {}, broken: {} });
  const [straight, broken] = [join(folder, 'straight'), join(folder, 'broken')];
  const result = await run(straight, config);
  t.equal(result.interrupted, false);
  t.same((await readdir(straight)).sort(), ['best.safetensors', 'config.json', 'last.safetensors', 'log.jsonl']);

  const stops = [
    [{ step: 2 }, { epoch: 0, batch: 2, step: 2 }, 'in the statistics phase'],
    [{ step: 4 }, { epoch: 0, batch: 4, step: 4 }, 'after it, in the same epoch'],
    [{ testBatch: 2 }, { epoch: 0, batch: 5, step: 5 }, 'while testing'],
    [{ step: 10 }, { epoch: 1, batch: 5, step: 10 }, 'in the last step of an epoch'],
  ] as const;
  for (const [i, [at, position, when]] of stops.entries()) {
    const part = await interrupted(broken, config, at, i > 0);
    t.equal(part.interrupted, true, when);
    t.match(part.position, position, when);
  }
  const rest = await run(broken, config, { resume: true });
  t.same(rest.best, result.best);
  for (const file of ['last.safetensors', 'best.safetensors', 'config.json']) {
    const [a, b] = await Promise.all([readFile(join(straight, file)), readFile(join(broken, file))]);
    t.ok(a.equals(b), `${file} is the same, byte for byte`);
  }
  t.same(await timelessLog(broken), await timelessLog(straight));
});

t.test('the same with SGD, bias correction and a float checkpoint', async (t) => {
  const folder = t.testdir({ float: {}, a: {}, b: {} });
  await run(join(folder, 'float'), tinyRun({ method: 'float', epochs: 1 }));
  const config = tinyRun({
    method: 'a2q',
    optimizer: { type: 'sgd', learningRate: 0.01, momentum: 0.9, weightDecay: 1e-5 },
    start: { ...tinyRun().start, initFrom: join(folder, 'float'), calibrationSamples: 16, biasCorrection: true },
  });
  await run(join(folder, 'a'), config);
  await interrupted(join(folder, 'b'), config, { step: 3 });
  await run(join(folder, 'b'), config, { resume: true });
  const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(join(folder, name, 'last.safetensors'))));
  t.ok(a.equals(b));
  const { state } = await readCheckpoint(join(folder, 'a', 'best.safetensors'));
  t.ok(state.has('stages.1.conv.bias'), 'the corrected bias is part of the model');
});

t.test('batches from a worker and from this thread train to the same bytes', async (t) => {
  const folder = t.testdir({ worker: {}, here: {} });
  const config = tinyRun({ start: { ...tinyRun().start, calibrationSamples: 16, biasCorrection: true } });
  const worker = await run(join(folder, 'worker'), config);
  const here = await run(join(folder, 'here'), config, { prefetch: false });
  t.same([worker.batchesMadeIn, here.batchesMadeIn], ['worker', 'same thread']);
  const places = ({ log }: RunResult) => log.map(({ batchesMadeIn }) => batchesMadeIn);
  t.same([places(worker), places(here)], [Array(2).fill('worker'), Array(2).fill('same thread')]);
  for (const file of ['last.safetensors', 'best.safetensors']) {
    const [a, b] = await Promise.all(['worker', 'here'].map((name) => readFile(join(folder, name, file))));
    t.ok(a.equals(b), file);
  }
});

t.test('the peak memory of a step', async (t) => {
  const folder = t.testdir({ small: {}, large: {}, longer: {} });
  const peak = async (name: string, more: Partial<RunConfig>) => {
    const before = memory(currentBackend()).bytes;
    const { peakBytes } = await run(join(folder, name), tinyRun({ method: 'float', ...more }));
    return (peakBytes as number) - before;
  };
  const small = await peak('small', { batchSize: 4, limitBatches: 2, epochs: 1 });
  // The first layer's output alone, four images of 16 channels of 16x16, and its gradient.
  t.ok(small > 2 * 4 * 16 * 16 * 16 * 4, `${small} bytes`);
  const large = await peak('large', { batchSize: 8, limitBatches: 2, epochs: 1 });
  const parameters = 16 * 9 + 32 * 16 * 9 + 32 * 32 * 9;
  t.ok(large > small + 2 * 4 * 16 * 16 * 16 * 4, 'more images, more memory');
  t.ok(large < 2 * small, 'but no more parameters');
  t.ok(small > 4 * 4 * parameters, 'weights, their gradients and two moments');
  t.equal(await peak('longer', { batchSize: 4, limitBatches: 8, epochs: 2 }), small, 'the same for more steps');
});

t.test('a run stopped while it reads its data', async (t) => {
  const folder = t.testdir({});
  const controller = new AbortController();
  const onStage = () => controller.abort();
  const part = await run(folder, tinyRun(), { signal: controller.signal, events: { onStage } });
  t.match(part, { interrupted: true, position: { step: 0 }, best: null, batchesMadeIn: null, peakBytes: null });
  t.same(await readdir(folder), ['config.json']);
});

t.test('a run stopped before its first step can be gone on with', async (t) => {
  const folder = t.testdir({ a: {}, b: {} });
  const config = tinyRun({ epochs: 1, start: { ...tinyRun().start, calibrationSamples: 16 } });
  const controller = new AbortController();
  const onStage = (stage: string) => {
    if (stage === 'activation calibration') controller.abort();
  };
  const part = await run(join(folder, 'a'), config, { signal: controller.signal, events: { onStage } });
  t.match(part, { interrupted: true, position: { step: 0 }, best: null });
  t.same(await readdir(join(folder, 'a')), ['config.json']);
  await run(join(folder, 'a'), config, { resume: true });
  await run(join(folder, 'b'), config);
  const [a, b] = await Promise.all(['a', 'b'].map((name) => readFile(join(folder, name, 'last.safetensors'))));
  t.ok(a.equals(b));
});

t.test('the log and the best epoch', async (t) => {
  const folder = t.testdir({});
  const seen: string[] = [];
  const { log, best } = await run(folder, tinyRun({ epochs: 3 }), {
    events: {
      onStage: (stage) => seen.push(stage),
      onStart: (position, batches) => seen.push(`start ${position.step} of ${batches}`),
      onEpoch: ({ epoch }, isBest) => seen.push(`epoch ${epoch}${isBest ? ' best' : ''}`),
    },
  });
  t.same(seen.slice(0, 5), ['reading glyphs/train', 'reading glyphs/test', 'weight scales', 'EP-init', 'start 0 of 5']);
  t.equal(seen[5], 'epoch 0 best');
  t.same(await readLog(folder), log);
  t.same(
    log.map(({ epoch, step, learningRate, metricName, backend }) => ({
      epoch,
      step,
      learningRate,
      metricName,
      backend,
    })),
    [1e-3, 5e-4, 2.5e-4].map((learningRate, epoch) => {
      return { epoch, step: 5 * (epoch + 1), learningRate, metricName: 'accuracy', backend: 'test' };
    }),
  );
  const highest = Math.max(...log.map(({ testMetric }) => testMetric));
  t.same(best, { epoch: log.findIndex(({ testMetric }) => testMetric === highest), metric: highest });
  t.same((await readCheckpoint(join(folder, 'best.safetensors'))).best, best);
});

t.test('a resumed run drops log lines of lost work, and goes on for more epochs', async (t) => {
  const folder = t.testdir({});
  await run(folder, tinyRun({ epochs: 1 }));
  const text = await readFile(join(folder, 'log.jsonl'), 'utf8');
  await writeFile(join(folder, 'log.jsonl'), `${text}${text.replace('"epoch":0', '"epoch":1')}{"epoch":`);
  const { log } = await run(folder, tinyRun({ epochs: 2 }), { resume: true });
  t.same(
    log.map(({ epoch, step }) => [epoch, step]),
    [
      [0, 5],
      [1, 10],
    ],
  );
  t.same(await readLog(folder), log);
});

t.test('damaged checkpoints are refused, and no memory is left behind', async (t) => {
  const folder = t.testdir({ a: {}, b: {} });
  const config = tinyRun({ epochs: 1 });
  const [good, bad] = [join(folder, 'a'), join(folder, 'b')];
  await run(good, config);
  const bytes = await readFile(join(good, 'last.safetensors'));
  const before = memory(currentBackend()).bytes;
  const resume = async (content: Uint8Array) => {
    await copyFile(join(good, 'config.json'), join(bad, 'config.json'));
    await writeFile(join(bad, 'last.safetensors'), content);
    return run(bad, config, { resume: true });
  };
  await t.rejects(resume(bytes.subarray(0, 1000)), DataError);
  await t.rejects(resume(bytes.subarray(0, bytes.length - 4)), { message: /last\.safetensors: .*truncated/ });
  await t.rejects(run(bad, tinyRun({ ...config, model: 'cnn', method: 'qat' }), { resume: true }), DataError);
  await t.rejects(run(good, { ...config, method: 'qat' }, { resume: true }), {
    message: /method is "qat", was "a2q\+"/,
  });
  t.ok(memory(currentBackend()).bytes <= before, 'no memory is held');
});

t.test('what a run is known by', async (t) => {
  const folder = t.testdir({ empty: {} });
  await t.rejects(runCheckpointPath(join(folder, 'empty')), { message: /has no best.safetensors and no last/ });
  const config = tinyRun();
  await interrupted(folder, config, { step: 1 });
  t.match(await runCheckpointPath(folder), /last\.safetensors$/);
  const { state } = await readWeights(folder);
  t.notOk(
    [...state.keys()].some((name) => name.includes('/')),
    'without the optimizer',
  );
  await run(folder, config, { resume: true });
  t.match(await runCheckpointPath(folder), /best\.safetensors$/);
  t.match(await runCheckpointPath(folder, 'last'), /last\.safetensors$/);
});

t.test('a certificate does not outlive the checkpoint it is of', async (t) => {
  const folder = t.testdir({});
  const certificate = join(folder, 'certificate.json');
  await run(folder, tinyRun({ epochs: 1 }));
  await writeFile(certificate, '{}');
  await run(folder, tinyRun({ epochs: 1 }), { resume: true });
  t.ok((await readdir(folder)).includes('certificate.json'), 'nothing was trained');
  await run(folder, tinyRun({ epochs: 2 }), { resume: true });
  t.notOk((await readdir(folder)).includes('certificate.json'));
});
