import { BackendError } from '../tensor/errors.js';
import type { Backend } from './backend.js';
import { instances, wasmBackend, working } from './current.js';
import { GPU_MODES, type GpuMode } from './gpu/modes.js';

export { type BackendDescription, currentBackend, describeBackend, setBackend } from './current.js';

/** Names of the backends that run on the CPU, the preferred one first. */
export const BACKEND_NAMES: readonly string[] = ['wasm', 'reference'];

/** Names of gpu.js in each of its modes. Never chosen by themselves. */
export const GPU_BACKEND_NAMES: readonly string[] = GPU_MODES.map((mode) => `gpu:${mode}`);

const starting = new Map<string, Promise<Backend>>();

/**
 * The backend of that name: `wasm` is started on first use, the others by `startBackend` beforehand. Always one object.
 *
 * @throws BackendError if there is none of that name, it cannot run here, or has to be started by `startBackend`
 */
export function backendNamed(name: string): Backend {
  const known = working(name);
  if (known) return known;
  if (name === 'wasm') return wasmBackend();
  if (isLoaded(name)) {
    throw new BackendError('backend', `'${name}' starts asynchronously; await startBackend('${name}') first`);
  }
  throw new BackendError('backend', `there is no '${name}'; choose one of ${BACKEND_NAMES.join(', ')}`);
}

/**
 * As `backendNamed`, also for backends loaded first: `reference`, `gpu:webgpu`, `gpu:webgl2`, `gpu:webasm`, `gpu:cpu`.
 * Nothing else runs in place of the one asked for. A failed one (a lost device) is restarted.
 *
 * @throws BackendError if there is none of that name, or it cannot run here, with the reason
 */
export async function startBackend(name: string): Promise<Backend> {
  if (!isLoaded(name) || working(name)) return backendNamed(name);
  const pending = starting.get(name) ?? load(name);
  starting.set(name, pending);
  return pending;
}

/** Whether the code of that backend is loaded when it is asked for. */
function isLoaded(name: string): boolean {
  return name === 'reference' || GPU_BACKEND_NAMES.includes(name);
}

async function create(name: string): Promise<Backend> {
  if (name === 'reference') return (await import('./reference/index.js')).createReferenceBackend();
  const mode = name.slice('gpu:'.length) as GpuMode;
  return (await import('./gpu/index.js')).createGpuBackend({ mode });
}

async function load(name: string): Promise<Backend> {
  try {
    const backend = await create(name);
    instances.set(name, backend);
    return backend;
  } catch (cause) {
    if (!(cause instanceof EvalError)) throw cause;
    const why = 'the content security policy of this page forbids code from strings (unsafe-eval)';
    throw new BackendError(name, `cannot run here: ${why}; the wasm backend needs wasm-unsafe-eval alone`, { cause });
  } finally {
    starting.delete(name);
  }
}
