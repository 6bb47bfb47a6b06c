import { parseArgs } from 'node:util';
import { type ConvNode, type IntegerGraph, integerTensor } from '../../lib/deploy/graph/graph.js';
import { createGpuRuntime } from '../../lib/deploy/runtime/gpu/index.js';
import { runReference } from '../../lib/deploy/runtime/reference.js';
import type { Runtime } from '../../lib/deploy/runtime/runtime.js';
import type { GpuBackend } from '../../lib/kernels/gpu/index.js';
import { GPU_MODES, type GpuMode } from '../../lib/kernels/gpu/modes.js';
import { startBackend } from '../../lib/kernels/registry.js';
import { BackendError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { type Comparison, comparisonTable } from '../comparison.js';
import { UsageError } from '../options.js';
import { timeInterleaved } from '../timing.js';

export const INFER_GPU_USAGE = `usage: npm run bench -- infer-gpu [options]
Layers of integers on gpu.js: sums that share a float32, against one sum a float32.
  --json            one JSON object a line instead of a table
  --mode NAME       ${GPU_MODES.join(', ')}; default webasm
  --rounds N        timed runs of each; default 15`;

/** A 3 × 3 layer: images, channels in and out, side of the image, bits of inputs and of the accumulator. */
interface Layer {
  readonly images: number;
  readonly channels: number;
  readonly side: number;
  readonly actBits: number;
  readonly accumulatorBits: number;
}

const LAYERS: readonly Layer[] = [
  { images: 1, channels: 64, side: 32, actBits: 4, accumulatorBits: 12 },
  { images: 1, channels: 128, side: 16, actBits: 4, accumulatorBits: 12 },
  { images: 4, channels: 64, side: 16, actBits: 4, accumulatorBits: 12 },
  { images: 1, channels: 64, side: 32, actBits: 3, accumulatorBits: 8 },
];

/** `npm run bench -- infer-gpu`. @returns the exit code */
export async function inferGpuMain(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof BackendError)) throw error;
    process.stderr.write(`error: ${error.message}\n${error instanceof UsageError ? `${INFER_GPU_USAGE}\n` : ''}`);
    return 2;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const { json, help, mode, rounds } = parsed(args);
  if (help) {
    process.stdout.write(`${INFER_GPU_USAGE}\n`);
    return 0;
  }
  const comparisons: Comparison[] = [];
  for (const layer of LAYERS) {
    const each = await compare(layer, mode, rounds);
    comparisons.push(each);
    if (json) process.stdout.write(`${JSON.stringify(each)}\n`);
    else process.stderr.write(`${each.name}: ${each.ratio.toFixed(2)}\n`);
  }
  if (!json) process.stdout.write(`${comparisonTable(comparisons)}\n`);
  return 0;
}

async function compare(layer: Layer, mode: GpuMode, rounds: number): Promise<Comparison> {
  const { images, channels, side, actBits, accumulatorBits } = layer;
  const graph = layerGraph(layer);
  const random = new Random(2);
  const data = Int32Array.from({ length: images * channels * side ** 2 }, () =>
    Math.floor(random.uniform(0, graph.input.high + 0.999)),
  );
  const x = { shape: [images, channels, side, side], data };
  const wanted = runReference(graph, x).data;
  const runtimes: Runtime[] = [];
  for (const packed of [true, false]) {
    const runtime = await createGpuRuntime(graph, { mode, packed });
    runtimes.push(runtime);
    const got = (await runtime.run(x)).data;
    if (got.some((sum, i) => sum !== wanted[i])) throw new Error(`${runtime.plan[0].kernel}: sums differ`);
  }
  const backend = (await startBackend(`gpu:${mode}`)) as GpuBackend;
  await backend.finished();
  const { adapter, software } = backend.describe();
  const runs = runtimes.map((runtime) => async () => (await runtime.run(x)).data[0]);
  const [ours, theirs] = await timeInterleaved(runs, { warmup: 2, rounds });
  for (const runtime of runtimes) runtime.dispose();
  const [packed] = runtimes[0].plan;
  const bits = `W4A${actBits}, P = ${accumulatorBits}`;
  return {
    name: `${channels}→${channels} 3×3 at ${side}², batch ${images}, ${bits}: ${packed.kernel}`,
    ...{ backend: `gpu:${mode}`, simd: null, winograd: null, threads: 1, unit: 'ms', rounds },
    ...{ ours: ours.median, theirs: theirs.median, theirsName: 'one sum a float32' },
    ...{ ratio: theirs.median / ours.median, oursMin: ours.min, theirsMin: theirs.min },
    ...{ gflop: (2 * images * channels ** 2 * 9 * side ** 2) / 1e9, difference: 0 },
    ...(adapter ? { adapter: adapter.description ?? '', software: software ?? false } : {}),
  };
}

/** A layer whose channels have spent the budget of their accumulator. */
function layerGraph({ channels, side, actBits, accumulatorBits }: Layer): IntegerGraph {
  const random = new Random(1);
  const high = 2 ** actBits - 1;
  const length = channels * 9;
  const weights = new Int32Array(channels * length);
  for (let channel = 0; channel < channels; channel++) {
    for (const sign of [1, -1]) {
      for (let left = Math.floor((2 ** (accumulatorBits - 1) - 1) / high); left > 0; ) {
        const at = channel * length + Math.floor(random.uniform(0, length));
        if (weights[at] * sign < 0 || Math.abs(weights[at]) === 7) continue;
        weights[at] += sign;
        left--;
      }
    }
  }
  const node: ConvNode = {
    ...{ op: 'conv', name: 'conv', inputs: ['x'], weights: 'w', weightBits: 4, accumulatorBits },
    ...{ stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, resize: 1 },
  };
  return {
    ...{ name: 'layer', nodes: [node], task: null, notes: [] },
    input: { name: 'x', shape: [channels, side, side], low: 0, high, scale: 1 },
    output: { value: 'conv', decode: [] },
    tensors: new Map([['w', integerTensor([channels, channels, 3, 3], weights)]]),
  };
}

/** @throws UsageError for anything unknown or out of range */
function parsed(args: readonly string[]) {
  const { values } = options(args);
  const mode = GPU_MODES.find((each) => each === (values.mode ?? 'webasm'));
  if (mode === undefined) throw new UsageError(`--mode: there is no '${values.mode}'`);
  const rounds = Number(values.rounds ?? 15);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) throw new UsageError('--rounds must be 1 … 1000');
  return { json: values.json ?? false, help: values.help ?? false, mode, rounds };
}

function options(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        mode: { type: 'string' },
        rounds: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
