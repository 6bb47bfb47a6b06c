import t from 'tap';
import { compareGpu, gpuMain } from '../../bench/gpu/main.js';
import { parseGpuOptions } from '../../bench/gpu/options.js';
import { UsageError } from '../../bench/options.js';

for (const [args, message] of [
  ['--mode gpu:cuda', /there is no 'gpu:cuda'; choose one of gpu:webgpu/],
  ['--small --large', /exclude each other/],
  ['--rounds 0', /--rounds must be an integer from 1/],
  ['--resnet18 -1', /--resnet18/],
  ['--fast', /--fast/],
  ['matmul', /matmul/],
] as const) {
  t.test(`'${args}' is refused`, (t) => {
    t.throws(() => parseGpuOptions(args.split(' ')), { constructor: UsageError, message });
    t.end();
  });
}

t.test('options that make sense', (t) => {
  t.match(parseGpuOptions([]), { mode: 'gpu:webgpu', naive: false, json: false, size: undefined, batches: {} });
  const all = ['--json', '--mode', 'gpu:webasm', '--naive', '--large', '--espcn', '16', '--resnet18', '0'];
  t.match(parseGpuOptions(all), {
    json: true,
    mode: 'gpu:webasm',
    naive: true,
    size: 'large',
    batches: { espcn: 16, resnet18: 0 },
  });
  t.equal(parseGpuOptions(['--help']), 'help');
  t.end();
});

const KERNELS_ONLY = { json: true, mode: 'gpu:webasm', size: undefined, rounds: 1, stepsOnly: false } as const;
const NO_STEPS = { espcn: 0, resnet18: 0, mobilenetv1: 0 };

t.test('ours against the wasm backend, and against plain kernels: the same numbers, then times', async (t) => {
  for (const naive of [false, true]) {
    const lines = [];
    for await (const each of compareGpu({ ...KERNELS_ONLY, naive, batches: NO_STEPS })) lines.push(each);
    t.same(
      lines.map(({ name }) => name),
      [
        'matmul 256x256x256',
        'conv 3x3 1x64x32x32 -> 64 forward',
        'conv 3x3 1x64x32x32 -> 64 input gradient',
        'conv 3x3 1x64x32x32 -> 64 weight gradient',
      ],
    );
    for (const { name, gflop, gflops, ours, theirs, ratio, difference, ...rest } of lines) {
      t.match(rest, { backend: 'gpu:webasm', unit: 'ms', software: true, adapter: 'this processor', rounds: 1 });
      t.match(rest.theirsName, naive ? 'a2q.js plain kernels' : /a2q.js wasm, \d threads?/);
      t.ok(Math.abs((gflops ?? 0) / ((1e3 * (gflop ?? 0)) / ours) - 1) < 0.01, `${name}: GFLOP/s of ${ours} ms`);
      t.ok(Math.abs(ratio / (theirs / ours) - 1) < 0.01);
      t.ok((difference ?? 1) < 1e-5, `differ by ${difference}`);
    }
  }
});

t.test('a step is run to its end', async (t) => {
  const batches = { ...NO_STEPS, mobilenetv1: 2 };
  const lines = [];
  for await (const each of compareGpu({ ...KERNELS_ONLY, stepsOnly: true, naive: false, batches })) lines.push(each);
  t.same(
    lines.map(({ name }) => name),
    ['step mobilenetv1 a2q+ W4A4 batch 2'],
  );
  t.equal(lines[0].gflops, undefined);
});

t.test('what cannot run here is said, with exit code 2', async (t) => {
  const written = t.capture(process.stderr, 'write');
  t.equal(await gpuMain(['--mode', 'gpu:webgl2', '--json']), 2);
  t.match(written()[0].args[0], /error: gpu:webgl2: there is no WebGL2 here; browsers have it/);
});
