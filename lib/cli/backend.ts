import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import type { GpuDescription } from '../kernels/gpu/index.js';
import { BACKEND_NAMES, currentBackend, GPU_BACKEND_NAMES, setBackend, startBackend } from '../kernels/registry.js';
import { WINOGRAD_CHOICES, type WinogradChoice } from '../kernels/wasm/choices.js';
import { loadWasmBackend, THREAD_LIMIT, type WasmDescription } from '../kernels/wasm/index.js';
import { integer, UsageError } from './usage.js';

/** The options every command that computes has. */
export interface BackendFlags {
  readonly backend?: string;
  readonly threads?: number;
  readonly winograd?: WinogradChoice;
}

/** More threads than that bring nothing at the sizes trained here. */
const MOST_THREADS = 8;

/** Training bears the errors of F(4×4), 1e-5 of an output's rms (docs/decisions.md); nothing else has them unasked. */
export const TRAINING_WINOGRAD: WinogradChoice = 'f4';

/** @param winograd the command's default, as for {@link useBackend} */
export function addBackendOptions(command: Command, winograd: WinogradChoice = 'off'): Command {
  return command
    .addOption(
      new Option('--backend <name>', `what computes (default: ${BACKEND_NAMES[0]})`).choices([
        ...BACKEND_NAMES,
        ...GPU_BACKEND_NAMES,
      ]),
    )
    .option(
      '--threads <count>',
      'threads of the wasm backend (default: the processor’s, at most 8)',
      integer(1, THREAD_LIMIT),
    )
    .addOption(
      new Option(
        '--winograd <tile>',
        `fast 3x3 convolutions of the wasm backend: f2 is as accurate as none, f4 errs by 1e-5 (default: ${winograd})`,
      ).choices(WINOGRAD_CHOICES),
    );
}

/** Threads the wasm backend gets unless the user says otherwise. */
export function defaultThreads(): number {
  return Math.min(availableParallelism(), MOST_THREADS);
}

/**
 * Makes the chosen backend current.
 * @param defaultWinograd for the wasm backend, where the user says nothing
 * @returns what really runs, for people: `wasm (relaxed SIMD, 2 threads)`
 * @throws UsageError for threads on a backend that has none; BackendError if it cannot run here
 */
export async function useBackend(flags: BackendFlags, defaultWinograd: WinogradChoice = 'off'): Promise<string> {
  const { backend: name = BACKEND_NAMES[0], threads, winograd } = flags;
  if (name === 'wasm') {
    const tiles = winograd ?? defaultWinograd;
    setBackend(await loadWasmBackend({ threads: threads ?? defaultThreads(), winograd: tiles }));
  } else {
    if (winograd !== undefined && winograd !== 'off')
      throw new UsageError(`--winograd: the ${name} backend has no such convolutions`);
    if ((threads ?? 1) > 1) throw new UsageError(`--threads: the ${name} backend has one thread`);
    setBackend(await startBackend(name));
  }
  return describeCurrent();
}

/** What a wasm backend runs on; null for any other. */
export function wasmDescription(backend: object): WasmDescription | null {
  const details = describe(backend);
  return 'simd' in details ? (details as WasmDescription) : null;
}

/** What a gpu backend runs on; null for any other. */
export function gpuDescription(backend: object): GpuDescription | null {
  const details = describe(backend);
  return 'mode' in details ? (details as GpuDescription) : null;
}

function describe(backend: object): object {
  return 'describe' in backend && typeof backend.describe === 'function' ? (backend.describe() as object) : {};
}

/** What really runs, for people. */
export function describeCurrent(): string {
  const backend = currentBackend();
  const details = wasmDescription(backend);
  if (details === null) {
    return gpuDescription(backend)?.software ? `${backend.name} (software adapter)` : backend.name;
  }
  const { simd, threads, threadsWanted, whyFewerThreads, winograd } = details;
  const team = whyFewerThreads === null ? `${threads}` : `${threads} of ${threadsWanted}`;
  const parts = [`${simd} SIMD`, `${team} ${team === '1' ? 'thread' : 'threads'}`];
  if (winograd !== 'off') parts.push(`Winograd ${winograd}`);
  return `${backend.name} (${parts.join(', ')})`;
}
