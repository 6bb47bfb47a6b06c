import type { GpuMode } from '../../lib/kernels/gpu/index.js';
import { BackendError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { DisagreementError, TOLERANCE } from '../cases.js';
import { type Comparison, comparison, comparisonTable } from '../comparison.js';
import { relativeDifference } from '../engine.js';
import { UsageError } from '../options.js';
import { type ConvShape, convProblem, matmulProblem } from '../problem.js';
import { STEP_MODELS, type StepModel } from '../steps.js';
import { timeInterleaved } from '../timing.js';
import { GPU_USAGE, type GpuOptions, parseGpuOptions } from './options.js';
import { convTask, matmulTask, onCpu, onGpu, stepTask, type Task, type TimedBackend } from './timedBackend.js';

/** Sizes for an adapter that computes on the CPU, and for one that does not. */
const SIZES = {
  small: {
    matmul: [256, 256, 256],
    conv: { batch: 1, channels: 64, side: 32, outputs: 64, kernel: 3 },
    batches: { espcn: 1, mobilenetv1: 2, resnet18: 1 },
    rounds: 3,
  },
  large: {
    matmul: [2048, 2048, 2048],
    conv: { batch: 64, channels: 128, side: 32, outputs: 128, kernel: 3 },
    batches: { espcn: 8, mobilenetv1: 128, resnet18: 128 },
    rounds: 15,
  },
} as const satisfies Record<string, Size>;

interface Size {
  readonly matmul: readonly [number, number, number];
  readonly conv: ConvShape;
  readonly batches: Readonly<Record<StepModel, number>>;
  readonly rounds: number;
}

/** One line of the output to be: the same work for both, and how many operations it has, if that is known. */
interface GpuCase {
  readonly name: string;
  readonly flops?: number;
  give(engine: TimedBackend): Task;
}

/** What both do, in turn. */
function* casesOf(size: Size, options: GpuOptions): Generator<GpuCase> {
  if (!options.stepsOnly) {
    const product = matmulProblem([...size.matmul], new Random(1));
    yield { name: product.name, flops: product.flops, give: (each) => matmulTask(each, product) };
    const problem = convProblem(size.conv, true, new Random(1));
    for (const pass of ['forward', 'input gradient', 'weight gradient'] as const) {
      const name = problem.name.replace('forward+backward', pass);
      yield { name, flops: problem.flops / 3, give: (each) => convTask(each, problem, pass) };
    }
  }
  for (const model of STEP_MODELS) {
    const batch = options.batches[model] ?? size.batches[model];
    if (batch > 0)
      yield { name: `step ${model} a2q+ W4A4 batch ${batch}`, give: (each) => stepTask(each, model, batch) };
  }
}

/** Every case, ours first. @throws DisagreementError where results differ; BackendError if something cannot run here */
export async function* compareGpu(options: GpuOptions): AsyncGenerator<Comparison> {
  const mode = options.mode.slice('gpu:'.length) as GpuMode;
  const ours = await onGpu(mode, 'measured');
  const theirs = options.naive ? await onGpu(mode, 'plain') : await onCpu();
  const { adapter, software } = ours.gpu.describe();
  const onProcessor = software ?? mode !== 'webgl2';
  const size: Size = SIZES[options.size ?? (onProcessor ? 'small' : 'large')];
  const named = [adapter?.vendor, adapter?.architecture, adapter?.description].filter(Boolean).join(', ');
  const setting = { backend: ours.backend.name, simd: null, winograd: null, threads: 1 };
  try {
    for (const { name, flops, give } of casesOf(size, options)) {
      const rounds = options.rounds ?? size.rounds;
      const tasks = [give(ours), give(theirs)];
      const difference = await disagreement(name, tasks, theirs.name);
      // Of training steps the first two are about other things: statistics, and the measurement of kernels.
      const warmup = flops === undefined ? 2 : 1;
      const times = await timeInterleaved(
        tasks.map(({ run }) => run),
        { warmup, rounds },
      );
      for (const task of tasks) task.dispose();
      const [rate, theirRate] = times.map(({ median }) => Number(((flops ?? 0) / median / 1e6).toPrecision(3)));
      yield comparison(times[0], times[1], {
        ...{ ...setting, name, theirsName: theirs.name, rounds, software: onProcessor },
        adapter: named || (mode === 'webgl2' ? 'not told by WebGL2' : 'this processor'),
        ...(flops === undefined ? {} : { gflop: flops / 1e9, gflops: rate, theirsGflops: theirRate }),
        ...(difference === null ? {} : { difference }),
      });
    }
  } finally {
    theirs.close();
  }
}

/** How far apart results are; null for training steps. @throws DisagreementError if too far */
async function disagreement(name: string, [ours, theirs]: readonly Task[], theirsName: string): Promise<number | null> {
  const [own, other] = [await ours.numbers(), await theirs.numbers()];
  if (own === null || other === null) return null;
  const difference = relativeDifference(own, other);
  if (!(difference <= TOLERANCE)) throw new DisagreementError(name, 'a2q.js', theirsName, difference);
  return Number(difference.toPrecision(2));
}

/** `npm run bench -- gpu`. @returns the exit code */
export async function gpuMain(args: readonly string[]): Promise<number> {
  try {
    const options = parseGpuOptions(args);
    if (options === 'help') {
      process.stdout.write(`${GPU_USAGE}\n`);
      return 0;
    }
    const found: Comparison[] = [];
    for await (const each of compareGpu(options)) {
      if (found.length === 0) process.stderr.write(`${introduction(each, options)}\n`);
      found.push(each);
      if (options.json) process.stdout.write(`${JSON.stringify(each)}\n`);
      else process.stderr.write(`${each.name} against ${each.theirsName}: ${each.ratio.toFixed(2)}\n`);
    }
    if (!options.json) process.stdout.write(`${comparisonTable(found)}\n${rates(found)}\n`);
    return found.length > 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof BackendError)) throw error;
    process.stderr.write(`error: ${error.message}\n${error instanceof UsageError ? `${GPU_USAGE}\n` : ''}`);
    return 2;
  }
}

function introduction({ backend, adapter, software }: Comparison, { size }: GpuOptions): string {
  const sizes = size ?? (software ? 'small' : 'large');
  const what = software ? `computes on the processor, hence ${sizes} sizes: its times say nothing of any GPU` : sizes;
  return `${backend} on ${adapter}: ${software ? what : `hardware, ${sizes} sizes`}`;
}

function rates(found: readonly Comparison[]): string {
  const lines = found.flatMap(({ name, gflops, theirsGflops, theirsName }) =>
    gflops === undefined ? [] : [`${name}: ${gflops} GFLOP/s, ${theirsName} ${theirsGflops}`],
  );
  return lines.join('\n');
}
