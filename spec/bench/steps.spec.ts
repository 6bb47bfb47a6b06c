import t from 'tap';
import type { Measurement } from '../../bench/measurement.js';
import { ourEngine } from '../../bench/ours.js';
import { performancePage } from '../../bench/performancePage.js';
import { withMeasurement } from '../../bench/report.js';
import { compareModel, parseTorchSteps, prepareStep, type Runner } from '../../bench/trainingSteps.js';

const LINE =
  '{"model": "mobilenetv1", "threads": 1, "ms_median": 250.5, "ms_min": 240.25, "rounds": 15, ' +
  '"memory_format": "channels_last", "ms_contiguous": 300.0, "ms_channels_last": 250.5, "torch": "1.13.0"}';

t.test('times of PyTorch are read line by line', (t) => {
  const [line] = parseTorchSteps(`${LINE}\n\n`, 'torch.jsonl');
  t.match(line, { model: 'mobilenetv1', threads: 1, ms_median: 250.5, ms_min: 240.25, torch: '1.13.0' });
  t.throws(() => parseTorchSteps(`${LINE}\n{"model": "vgg"}`, 'torch.jsonl'), /torch\.jsonl, line 2/);
  t.throws(() => parseTorchSteps('not json', 'torch.jsonl'), /torch\.jsonl, line 1/);
  t.end();
});

t.test('a step runs, and its memory is known', async (t) => {
  const engine = await ourEngine({ backend: 'wasm', threads: 1, simd: 'plain', winograd: 'f4' });
  const step = await prepareStep(engine, 'mobilenetv1', 'float');
  // A network that knows nothing of ten classes.
  t.ok(Math.abs((await step.run()) - Math.log(10)) < 1);
  // 3.2 million parameters with their gradients and momenta, and the activations of 32 images.
  t.ok(step.peakBytes > 3 * 4 * 3.2e6 && step.peakBytes < 1e9);
  step.dispose();
});

t.test('steps are compared with float, one thread and PyTorch', (t) => {
  const runner = (method: Runner['method'], threads: number, peakBytes: number): Runner => ({
    setting: { backend: 'wasm', simd: 'plain', winograd: 'f4', threads },
    method,
    peakBytes,
    run: async () => 0,
    dispose() {},
  });
  const runners = [runner('float', 1, 10), runner('a2q+', 1, 20), runner('float', 2, 30), runner('a2q+', 2, 40)];
  const timings = [400, 500, 200, 250].map((median) => ({ median, min: median - 10 }));
  const found = [...compareModel('mobilenetv1', runners, timings, parseTorchSteps(LINE, 'torch.jsonl'), 9)];
  t.same(
    found.map(({ name, threads, theirsName, ours, theirs, ratio }) => [name, threads, theirsName, ours, theirs, ratio]),
    [
      ['step mobilenetv1 float', 1, 'pytorch float', 400, 250.5, 0.6262],
      ['step mobilenetv1 a2q+ W4A4', 1, 'a2q.js float', 500, 400, 0.8],
      ['step mobilenetv1 a2q+ W4A4', 1, 'pytorch float', 500, 250.5, 0.501],
      ['step mobilenetv1 float', 2, 'a2q.js 1 thread', 200, 400, 2],
      ['step mobilenetv1 a2q+ W4A4', 2, 'a2q.js float', 250, 200, 0.8],
      ['step mobilenetv1 a2q+ W4A4', 2, 'a2q.js 1 thread', 250, 500, 2],
    ],
  );
  t.match(found[4], { peakBytes: 40, theirsPeakBytes: 30, oursMin: 240, theirsMin: 190, rounds: 9, unit: 'ms' });
  t.end();
});

const STEP = {
  unit: 'ms',
  backend: 'wasm',
  simd: 'plain',
  winograd: 'f4',
  oursMin: 1,
  theirsMin: 1,
  rounds: 9,
} as const;

const MEASUREMENT: Measurement = {
  date: '2026-11-23',
  cpu: 'Some Processor',
  cores: 2,
  memoryGiB: 8,
  system: 'linux 6 x64',
  node: 'v20.1.0',
  load: 0.05,
  versions: { 'tfjs-wasm': '4.22.0', 'jax-js': null },
  torch: parseTorchSteps(LINE.replace('"threads": 1', '"threads": 2').replaceAll('250.5', '200'), 'torch.jsonl'),
  torchAvx2: parseTorchSteps(LINE.replace('"threads": 1', '"threads": 2').replaceAll('250.5', '300'), 'torch.jsonl'),
  comparisons: [
    {
      ...STEP,
      name: 'matmul 512x512x512',
      ours: 8,
      theirs: 10,
      theirsName: 'tfjs-wasm',
      ratio: 1.25,
      threads: 1,
      gflop: 0.268,
    },
    {
      ...STEP,
      name: 'step mobilenetv1 a2q+ W4A4',
      ours: 150,
      theirs: 125,
      theirsName: 'a2q.js float',
      ratio: 0.8333,
      threads: 2,
      peakBytes: 3 * 2 ** 20,
      theirsPeakBytes: 2 ** 21,
    },
    {
      ...STEP,
      name: 'step mobilenetv1 a2q+ W4A4',
      ours: 150,
      theirs: 270,
      theirsName: 'a2q.js 1 thread',
      ratio: 1.8,
      threads: 2,
    },
  ],
  skipped: ['conv against tfjs-wasm: no kernel'],
};

t.test('the page shows every figure of a measurement', (t) => {
  const page = performancePage([MEASUREMENT]);
  t.match(page, '## Node v20.1.0, plain SIMD');
  t.match(
    page,
    'Some Processor, 2 cores, 8 GiB, linux 6 x64;\ntfjs-wasm 4.22.0, jax-js not installed, PyTorch 1.13.0;',
  );
  t.match(page, '| matmul 512x512x512 | 1 | 8.00 | 33.5 | tfjs-wasm | 10.0 | 26.8 | 1.25 |');
  t.match(page, '| mobilenetv1 | 2 | 200 | 300 | 125 | 150 | 1.20 | 0.75 | 0.50 | 1.80 | 2 / 3 |');
  t.match(page, '- conv against tfjs-wasm:\n  no kernel');
  t.end();
});

t.test('a measurement replaces the one of its processor and major version', (t) => {
  const newer = { ...MEASUREMENT, node: 'v20.9.0' };
  const later = { ...MEASUREMENT, node: 'v24.0.0' };
  const elsewhere = { ...MEASUREMENT, cpu: 'Another Processor' };
  const all = withMeasurement(withMeasurement(withMeasurement([MEASUREMENT], later), elsewhere), newer);
  t.same(all, [elsewhere, newer, later]);
  t.end();
});
