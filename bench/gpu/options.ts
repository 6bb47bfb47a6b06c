import { parseArgs } from 'node:util';
import { GPU_BACKEND_NAMES } from '../../lib/kernels/registry.js';
import { UsageError } from '../options.js';
import { STEP_MODELS, type StepModel } from '../steps.js';

export const GPU_USAGE = `usage: npm run bench -- gpu [options]
Products, convolutions and A2Q+ training steps on a gpu.js backend: milliseconds, and GFLOP/s where the work is known.
  --json            one JSON object a line instead of a table
  --mode NAME       ${GPU_BACKEND_NAMES.join(', ')}; default gpu:webgpu. gpu:webgl2 needs a browser
  --naive           compare with one result a thread (the plain kernels) instead of with the wasm backend
  --small, --large  sizes; default: small on software adapters, large on hardware
  --rounds N        timed runs of each engine; default 3 small, 15 large
  --steps-only      leave out products and convolutions
${STEP_MODELS.map((model) => `  --${model} N`.padEnd(20)).join('\n')}batch of that training step; 0 leaves it out`;

/** What to measure. */
export interface GpuOptions {
  readonly json: boolean;
  readonly mode: string;
  readonly naive: boolean;
  /** Undefined: the adapter decides. */
  readonly size: 'small' | 'large' | undefined;
  readonly rounds: number | undefined;
  readonly stepsOnly: boolean;
  readonly batches: Readonly<Partial<Record<StepModel, number>>>;
}

/** @throws UsageError for anything unknown or out of range */
export function parseGpuOptions(args: readonly string[]): GpuOptions | 'help' {
  const values = parsed(args);
  if (values.help) return 'help';
  const mode = values.mode ?? 'gpu:webgpu';
  if (!GPU_BACKEND_NAMES.includes(mode)) {
    throw new UsageError(`--mode: there is no '${mode}'; choose one of ${GPU_BACKEND_NAMES.join(', ')}`);
  }
  if (values.small && values.large) throw new UsageError('--small and --large exclude each other');
  const batches: Partial<Record<StepModel, number>> = {};
  for (const model of STEP_MODELS) {
    const batch = whole(`--${model}`, values[model], 0, 4096);
    if (batch !== undefined) batches[model] = batch;
  }
  return {
    json: values.json ?? false,
    mode,
    naive: values.naive ?? false,
    size: values.small ? 'small' : values.large ? 'large' : undefined,
    rounds: whole('--rounds', values.rounds, 1, 10_000),
    stepsOnly: values['steps-only'] ?? false,
    batches,
  };
}

function parsed(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        mode: { type: 'string' },
        naive: { type: 'boolean' },
        small: { type: 'boolean' },
        large: { type: 'boolean' },
        rounds: { type: 'string' },
        'steps-only': { type: 'boolean' },
        espcn: { type: 'string' },
        resnet18: { type: 'string' },
        mobilenetv1: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function whole(what: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${what} must be an integer from ${least} to ${most}; got '${text}'`);
}
