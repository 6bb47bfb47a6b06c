import { provideDevice } from '../tensor/current.js';
import { BackendError } from '../tensor/errors.js';
import type { Backend, BackendImplementation } from './backend.js';
import { completeBackend } from './defaults.js';
import { GPU_MODES, type GpuMode } from './gpu/modes.js';
import { createReferenceBackend } from './reference/index.js';
import { createWasmBackend } from './wasm/index.js';

/** A backend that may or may not run here. */
interface Candidate {
  readonly name: string;
  /** @throws BackendError saying why it cannot run here */
  create(): BackendImplementation;
}

/** In order of preference. */
const CANDIDATES: readonly Candidate[] = [
  { name: 'wasm', create: createWasmBackend },
  { name: 'reference', create: createReferenceBackend },
];

/** Names `backendNamed` knows, the preferred one first. */
export const BACKEND_NAMES: readonly string[] = CANDIDATES.map(({ name }) => name);

/** Names that only `startBackend` can start: gpu.js in each of its modes. Never chosen by themselves. */
export const GPU_BACKEND_NAMES: readonly string[] = GPU_MODES.map((mode) => `gpu:${mode}`);

/** What runs, and how that came about. */
export interface BackendDescription {
  /** What really runs; the backend's own name. */
  readonly name: string;
  /** Why this one: chosen by a call, or preferred over the rest. */
  readonly why: string;
  /** Preferred backends that cannot run here, each with its reason. */
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

const instances = new Map<string, Backend>();
const starting = new Map<string, Promise<Backend>>();
let current: { readonly backend: Backend; readonly description: BackendDescription } | null = null;

/**
 * The backend of that name, started on first use and the same object ever after.
 *
 * @throws BackendError if there is none of that name, it cannot run here, or it has to be started by `startBackend`
 *   first
 */
export function backendNamed(name: string): Backend {
  const known = working(name);
  if (known) return known;
  if (GPU_BACKEND_NAMES.includes(name)) {
    throw new BackendError('backend', `'${name}' starts asynchronously; await startBackend('${name}') first`);
  }
  const candidate = CANDIDATES.find((each) => each.name === name);
  if (!candidate) throw new BackendError('backend', `there is no '${name}'; choose one of ${BACKEND_NAMES.join(', ')}`);
  const backend = completeBackend(candidate.create());
  instances.set(name, backend);
  return backend;
}

/**
 * As `backendNamed`, and also for backends that take time to start: `gpu:webgpu`, `gpu:webgl2`, `gpu:webasm`,
 * `gpu:cpu`. Nothing else runs in place of the one asked for. One that has failed (a lost device) is started anew.
 *
 * @throws BackendError if there is none of that name, or it cannot run here, with the reason
 */
export async function startBackend(name: string): Promise<Backend> {
  const mode = GPU_MODES[GPU_BACKEND_NAMES.indexOf(name)];
  if (mode === undefined || working(name)) return backendNamed(name);
  const pending = starting.get(name) ?? startGpu(name, mode);
  starting.set(name, pending);
  return pending;
}

/** The backend of that name if it was started and has not failed since, as one does that loses its device. */
function working(name: string): Backend | undefined {
  const known = instances.get(name);
  return known && 'failure' in known && known.failure !== null ? undefined : known;
}

async function startGpu(name: string, mode: GpuMode): Promise<Backend> {
  try {
    const { createGpuBackend } = await import('./gpu/index.js');
    const backend = completeBackend(await createGpuBackend({ mode }));
    instances.set(name, backend);
    return backend;
  } finally {
    starting.delete(name);
  }
}

/** Makes new tensors live on `backend` from now on. Kernels it lacks are composed from those it has. */
export function setBackend(backend: BackendImplementation): Backend {
  const complete = completeBackend(backend);
  current = { backend: complete, description: { name: complete.name, why: 'set by setBackend', refused: [] } };
  return complete;
}

/** The backend new tensors are made on: what `setBackend` chose, else the most preferred one that runs here. */
export function currentBackend(): Backend {
  current ??= preferred();
  return current.backend;
}

/** Which backend is current and why; chooses one if none is. Nothing falls back silently: refusals are listed. */
export function describeBackend(): BackendDescription {
  current ??= preferred();
  return current.description;
}

function preferred(): NonNullable<typeof current> {
  const refused: { name: string; why: string }[] = [];
  for (const { name } of CANDIDATES) {
    try {
      const backend = backendNamed(name);
      const why = refused.length === 0 ? 'preferred by default' : 'the backends preferred to it cannot run here';
      return { backend, description: { name: backend.name, why, refused } };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      refused.push({ name, why: error.message });
    }
  }
  throw new BackendError('backend', `none can run here: ${refused.map(({ why }) => why).join('; ')}`);
}

provideDevice(currentBackend);
