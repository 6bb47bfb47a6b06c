import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Backend } from '../lib/kernels/backend.js';
import { memory, resetPeak } from '../lib/tensor/storage.js';
import { type Comparison, comparison, type Setting } from './comparison.js';
import type { OurEngine } from './ours.js';
import { type Counts, race, type Timing } from './race.js';
import { makeStep, STEP_MODELS, type StepModel } from './steps.js';

const METHODS = ['float', 'a2q+'] as const;

/** A line of `bench/torch/steps.py`: one model's float step at one number of threads. */
const torchLine = z.object({
  model: z.enum(STEP_MODELS),
  threads: z.int().positive(),
  ms_median: z.number().positive(),
  ms_min: z.number().positive(),
  rounds: z.int().positive(),
  memory_format: z.string(),
  torch: z.string(),
});
export type TorchStep = z.infer<typeof torchLine>;

/** @throws Error naming the file and line that is not what `bench/torch/steps.py` writes */
export function parseTorchSteps(text: string, path: string): TorchStep[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    try {
      return [torchLine.parse(JSON.parse(line))];
    } catch {
      throw new Error(`${path}, line ${i + 1}: not a line of bench/torch/steps.py`);
    }
  });
}

/** @throws Error if the file cannot be read or is not what `bench/torch/steps.py` writes */
export async function readTorchSteps(path: string): Promise<TorchStep[]> {
  return parseTorchSteps(await readFile(path, 'utf8'), path);
}

/** One of our steps on one engine, ready to be timed. */
export interface Runner {
  readonly setting: Setting;
  readonly method: (typeof METHODS)[number];
  /** Most bytes of tensors alive in a step, other models on the same device not counted. */
  readonly peakBytes: number;
  /** One step; its loss. */
  run(): Promise<number>;
  dispose(): void;
}

/** Makes a step and runs it until it does the same every time. @throws Error if its loss is not finite */
export async function prepareStep(engine: OurEngine, model: StepModel, method: Runner['method']): Promise<Runner> {
  const backend: Backend = engine.use();
  const before = memory(backend).bytes;
  const step = makeStep(model, method);
  const run = async (): Promise<number> => {
    engine.use();
    const loss = await step.run();
    if (!Number.isFinite(loss)) throw new Error(`${step.name}: the loss is ${loss}`);
    return loss;
  };
  // The first calls of activation quantizers collect statistics; what is measured is the step that learns scales.
  for (let i = 0; i < 2; i++) await run();
  resetPeak(backend);
  await run();
  const peakBytes = memory(backend).peakBytes - before;
  return { setting: engine.setting, method, peakBytes, run, dispose: () => step.dispose() };
}

/**
 * Times the training steps of the paper's models, float and A2Q+ W4A4, on every engine given, all turn by turn.
 * Compares A2Q+ with float, more threads with one, and both methods with PyTorch's float step where its times are
 * known.
 *
 * @param engines the same backend with one thread, and with more
 */
export async function* compareSteps(
  engines: readonly OurEngine[],
  torch: readonly TorchStep[],
  counts: Counts,
): AsyncGenerator<Comparison> {
  for (const model of STEP_MODELS) {
    const runners: Runner[] = [];
    for (const engine of engines) for (const method of METHODS) runners.push(await prepareStep(engine, model, method));
    const timings = await race(
      runners.map(({ run }) => run),
      counts,
    );
    yield* compareModel(model, runners, timings, torch, counts.rounds);
    for (const runner of runners) runner.dispose();
  }
}

/** What the times of one model's steps, in the order of `runners`, say. */
export function* compareModel(
  model: StepModel,
  runners: readonly Runner[],
  timings: readonly Timing[],
  torch: readonly TorchStep[],
  rounds: number,
): Generator<Comparison> {
  for (const [i, { setting, method, peakBytes }] of runners.entries()) {
    const { threads } = setting;
    const ours = timings[i];
    const details = { name: `step ${model} ${method === 'float' ? 'float' : `${method} W4A4`}`, ...setting, peakBytes };
    if (method !== 'float') {
      const float = runners.findIndex((each) => each.setting.threads === threads && each.method === 'float');
      const theirsPeakBytes = runners[float].peakBytes;
      yield comparison(ours, timings[float], { ...details, theirsName: 'a2q.js float', rounds, theirsPeakBytes });
    }
    const single = runners.findIndex((each) => each.setting.threads === 1 && each.method === method);
    if (single >= 0 && threads > 1) {
      yield comparison(ours, timings[single], { ...details, theirsName: 'a2q.js 1 thread', rounds });
    }
    const other = torch.find((each) => each.model === model && each.threads === threads);
    if (other) {
      const theirs = { median: other.ms_median, min: other.ms_min };
      yield comparison(ours, theirs, { ...details, theirsName: 'pytorch float', rounds });
    }
  }
}
