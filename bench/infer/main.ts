import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { noGrad } from '../../lib/autograd/tape.js';
import { type IntegerGraph, isProduct } from '../../lib/deploy/graph/graph.js';
import { inferShapes } from '../../lib/deploy/graph/shapes.js';
import { createRuntime } from '../../lib/deploy/runtime/createRuntime.js';
import { Espcn } from '../../lib/nn/models/espcn.js';
import { floatLayers } from '../../lib/nn/models/floatLayers.js';
import { ResNet18 } from '../../lib/nn/models/resNet18.js';
import type { Module } from '../../lib/nn/module.js';
import { tensor } from '../../lib/tensor/create.js';
import { Random } from '../../lib/tensor/random.js';
import { scope } from '../../lib/tensor/storage.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { type Comparison, comparison, comparisonTable } from '../comparison.js';
import { UsageError } from '../options.js';
import { ourEngine } from '../ours.js';
import { timeInterleaved } from '../timing.js';
import { bounded, DENSE, espcnNetwork, layer, resNet18Network } from './networks.js';
import { onnxRun, quantizedOnnx } from './onnx.js';

export const INFER_USAGE = `usage: npm run bench -- infer [options]
Integer networks in the fast runtime against ONNX Runtime Web on 8-bit operators and against our own float inference.
  --json          one JSON object a comparison
  --threads N     of every engine; default: 1, then 2, each in a process of its own
  --simd KIND     auto, plain, relaxed; default auto
  --rounds N      timed runs of each; default 15
  --only TEXT     names that hold this`;

/** One thing to compare. */
interface Case {
  readonly name: string;
  readonly graph: () => IntegerGraph;
  readonly images: number;
  /** The same network in float; null for single layers. */
  readonly model: (() => Module) | null;
}

const WIDTHS = [64, 128, 256, 512] as const;
const LAYERS = [
  [64, 64],
  [128, 16],
  [256, 8],
  [512, 4],
] as const;

const espcn = () => new Espcn(floatLayers(new Random(1)), { scale: 3 });
const resnet = () => new ResNet18(floatLayers(new Random(1)), { classes: 10, widths: WIDTHS });

function cases(): readonly Case[] {
  const all: Case[] = [];
  for (const images of [1, 16]) {
    for (const [channels, side] of LAYERS) {
      for (const zeros of [0.94, 0.97]) {
        const name = `conv 3x3 ${channels} at ${side}² P=12 ${zeros * 100}% zeros, batch ${images}`;
        all.push({ name, graph: () => layer(channels, side, bounded(zeros)), images, model: null });
      }
      const name = `conv 3x3 ${channels} at ${side}² W4A4, batch ${images}`;
      all.push({ name, graph: () => layer(channels, side, DENSE), images, model: null });
    }
    const styles = { W4A4: DENSE, 'P=12': bounded(0.94) };
    for (const [style, weights] of Object.entries(styles)) {
      const graphs = {
        'espcn x3 85²': () => espcnNetwork(85, weights),
        resnet18: () => resNet18Network(WIDTHS, weights),
      };
      for (const [name, graph] of Object.entries(graphs)) {
        const model = name === 'resnet18' ? resnet : espcn;
        all.push({ name: `${name} ${style}, batch ${images}`, graph, images, model });
      }
    }
  }
  return all;
}

/** `npm run bench -- infer`. @returns the exit code */
export async function inferMain(args: readonly string[]): Promise<number> {
  let options: Options | 'help';
  try {
    options = parsed(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`error: ${error.message}\n${INFER_USAGE}\n`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(`${INFER_USAGE}\n`);
    return 0;
  }
  if (options.threads === null) {
    // ONNX Runtime takes its threads once for a process.
    const run = (threads: number) =>
      spawnSync(process.execPath, [process.argv[1], 'infer', ...args, '--threads', String(threads)], {
        stdio: 'inherit',
      }).status ?? 1;
    return Math.max(run(1), run(2));
  }
  const comparisons: Comparison[] = [];
  for (const each of cases()) {
    if (!each.name.includes(options.only)) continue;
    for (const result of await compared(each, { ...options, threads: options.threads })) {
      comparisons.push(result);
      if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
      else process.stderr.write(`${result.name} against ${result.theirsName}: ${result.ratio.toFixed(2)}\n`);
    }
  }
  if (!options.json) process.stdout.write(`${comparisonTable(comparisons)}\n`);
  return comparisons.length > 0 ? 0 : 1;
}

interface Options {
  readonly json: boolean;
  readonly threads: number | null;
  readonly simd: 'auto' | 'plain' | 'relaxed';
  readonly rounds: number;
  readonly only: string;
}

async function compared(
  { name, graph: build, images, model }: Case,
  { threads, simd, rounds }: Options & { readonly threads: number },
): Promise<readonly Comparison[]> {
  const graph = build();
  const shape = [images, ...graph.input.shape];
  const random = new Random(5);
  const data = Int32Array.from({ length: shape.reduce((product, extent) => product * extent, 1) }, () =>
    Math.floor(random.uniform(graph.input.low, graph.input.high + 1)),
  );
  const runtime = await createRuntime(graph, { engine: 'wasm', threads, ...(simd === 'auto' ? {} : { simd }) });
  const x = { shape, data };
  const bytes = Uint8Array.from(data);
  const theirs = await onnxRun(quantizedOnnx(graph, images), graph.input.name, bytes, shape, threads);
  const engine = model === null ? null : await ourEngine({ backend: 'wasm', threads, simd, winograd: 'f4' });
  const float = model === null ? null : await floatRun(model(), shape, Float32Array.from(data));
  const ours = async () => (await runtime.run(x)).data[0];
  const runs = [ours, () => theirs.run(), ...(float === null ? [] : [float])];
  const timings = await timeInterleaved(runs, { warmup: 3, rounds });
  const gmac = (macs(graph) * images) / 1e9;
  const setting = {
    ...{ backend: runtime.name, simd: simd === 'auto' ? null : simd, winograd: null, threads, name, rounds },
    kernels: [...new Set(runtime.plan.map(({ kernel }) => kernel.replace(/ in .*/, '')))].join(', '),
    gmacPerSecond: Number(((gmac / timings[0].median) * 1000).toPrecision(4)),
    gmacPerSecondBest: Number(((gmac / timings[0].min) * 1000).toPrecision(4)),
  };
  const results = [comparison(timings[0], timings[1], { ...setting, theirsName: 'onnxruntime-web QLinear' })];
  if (float !== null) results.push(comparison(timings[0], timings[2], { ...setting, theirsName: 'a2q.js float' }));
  runtime.dispose();
  await theirs.close();
  engine?.close();
  return results;
}

/** Multiplications of one image in dense arithmetic. */
function macs(graph: IntegerGraph): number {
  const shapes = inferShapes(graph);
  let sum = 0;
  for (const node of graph.nodes) {
    if (!isProduct(node)) continue;
    const pixels = (shapes.get(node.name) ?? []).slice(2).reduce((product, extent) => product * extent, 1);
    sum += (graph.tensors.get(node.weights)?.data.length ?? 0) * pixels;
  }
  return sum;
}

/** Float inference of a model on the backend in use. */
async function floatRun(model: Module, shape: readonly number[], data: Float32Array): Promise<() => Promise<number>> {
  model.eval();
  const x = tensor(data, shape);
  return async () => {
    const y = scope(() => [noGrad(() => model.forward(x))])[0] as Tensor;
    const values = await y.data();
    y.dispose();
    return values[0];
  };
}

/** @throws UsageError for anything unknown or out of range */
function parsed(args: readonly string[]): Options | 'help' {
  const text = { type: 'string' } as const;
  let values: Partial<Record<'threads' | 'simd' | 'rounds' | 'only', string>> & { json?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        ...{ json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
        ...{ threads: text, simd: text, rounds: text, only: text },
      },
    }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { simd = 'auto', json = false, only = '' } = values;
  if (values.help) return 'help';
  if (simd !== 'auto' && simd !== 'plain' && simd !== 'relaxed') throw new UsageError(`--simd: there is no '${simd}'`);
  const count = (what: string, value: string, most: number) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < 1 || number > most) throw new UsageError(`${what} cannot be ${value}`);
    return number;
  };
  const threads = values.threads === undefined ? null : count('--threads', values.threads, 64);
  return { json, simd, only, threads, rounds: count('--rounds', values.rounds ?? '15', 10_000) };
}
