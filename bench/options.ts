import { parseArgs } from 'node:util';
import { BACKEND_NAMES } from '../lib/kernels/registry.js';
import { WINOGRAD_CHOICES } from '../lib/kernels/wasm/choices.js';
import type { OurOptions } from './ours.js';
import { readTorchSteps, type TorchStep } from './trainingSteps.js';

const NAMES = ['matmul', 'conv', 'step'] as const;
export type Name = (typeof NAMES)[number];
const SIMD = ['auto', 'plain', 'relaxed'] as const;

export const USAGE = `usage: npm run bench -- NAME… [options]
  NAME              ${NAMES.join(', ')} or all
  --json            one JSON object a line instead of a table
  --backend NAME    ${BACKEND_NAMES.join(', ')}; default wasm
  --threads N       of the wasm backend. matmul and conv: default 1, as many as the peers have.
                    step: 1 and N, N by default the processor's, at most 8
  --simd KIND       ${SIMD.join(', ')}; default auto: relaxed where the engine has it
  --winograd TILE   ${WINOGRAD_CHOICES.join(', ')}; default f4, as in training
  --rounds N        timed runs of each engine, in place of each comparison's own fixed count
  --torch FILE      step: times written by bench/torch/steps.py, to compare with
gpu.js backends have a benchmark of their own: npm run bench -- gpu --help
Whether accumulators can overflow is attacked by npm run bench -- guarantee
Deployed networks of integers: npm run bench -- infer --help, on gpu.js: npm run bench -- infer-gpu --help`;

/** Bad usage: exit code 2. */
export class UsageError extends Error {}

/** What to compare, and how. */
export interface Options {
  readonly names: readonly Name[];
  readonly json: boolean;
  readonly backend: string;
  readonly threads: number | undefined;
  readonly simd: OurOptions['simd'];
  readonly winograd: OurOptions['winograd'];
  readonly rounds: number | undefined;
  readonly torch: readonly TorchStep[];
}

/** @throws UsageError for anything unknown, missing or out of range */
export async function parseOptions(args: readonly string[]): Promise<Options | 'help'> {
  const { values, positionals } = parsed(args);
  if (values.help) return 'help';
  if (positionals.length === 0) throw new UsageError('name at least one benchmark');
  for (const name of positionals) if (name !== 'all') choice('NAME', name, NAMES);
  const names = NAMES.filter((name) => positionals.includes('all') || positionals.includes(name));
  const backend = choice('--backend', values.backend ?? 'wasm', BACKEND_NAMES);
  const threads = count('--threads', values.threads, 64);
  const simd = choice('--simd', values.simd ?? 'auto', SIMD);
  const winograd = choice('--winograd', values.winograd ?? 'f4', WINOGRAD_CHOICES);
  if (backend !== 'wasm' && ((threads ?? 1) > 1 || simd !== 'auto' || values.winograd !== undefined)) {
    throw new UsageError(`--threads, --simd and --winograd are for the wasm backend, not ${backend}`);
  }
  const torch = values.torch === undefined ? [] : await torchSteps(values.torch);
  if (torch.length > 0 && !names.includes('step')) throw new UsageError('--torch is for step');
  return {
    names,
    json: values.json ?? false,
    backend,
    threads,
    simd,
    winograd,
    rounds: count('--rounds', values.rounds),
    torch,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        backend: { type: 'string' },
        threads: { type: 'string' },
        simd: { type: 'string' },
        winograd: { type: 'string' },
        rounds: { type: 'string' },
        torch: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function choice<T extends string>(what: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw new UsageError(`${what}: there is no '${value}'; choose one of ${known.join(', ')}`);
  return found;
}

function count(what: string, text: string | undefined, most = 10_000): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new UsageError(`${what} must be an integer from 1 to ${most}; got '${text}'`);
}

async function torchSteps(path: string): Promise<TorchStep[]> {
  try {
    return await readTorchSteps(path);
  } catch (error) {
    throw new UsageError(`--torch: ${error instanceof Error ? error.message : error}`);
  }
}
