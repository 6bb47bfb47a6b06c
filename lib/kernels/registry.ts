import { provideDevice } from '../tensor/current.js';
import { BackendError } from '../tensor/errors.js';
import type { Device } from '../tensor/storage.js';
import type { Backend, RequiredKernels } from './backend.js';
import { GPU_MODES } from './gpu/modes.js';
import { createWasmBackend } from './wasm/index.js';

/** Backends that start at once, the preferred one first. */
const AT_ONCE: Readonly<Record<string, () => Backend>> = { wasm: createWasmBackend };

/** Backends whose code is loaded when they are asked for. */
const LOADED: Readonly<Record<string, () => Promise<Backend>>> = {
  reference: async () => (await import('./reference/index.js')).createReferenceBackend(),
  ...Object.fromEntries(
    GPU_MODES.map((mode) => [`gpu:${mode}`, async () => (await import('./gpu/index.js')).createGpuBackend({ mode })]),
  ),
};

/** Names of the backends that run on the CPU, the preferred one first. */
export const BACKEND_NAMES: readonly string[] = [...Object.keys(AT_ONCE), 'reference'];

/** Names of gpu.js in each of its modes. Never chosen by themselves. */
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
 * The backend of that name: `wasm` is started on first use, the others by `startBackend` beforehand. Always one object.
 *
 * @throws BackendError if there is none of that name, it cannot run here, or has to be started by `startBackend`
 */
export function backendNamed(name: string): Backend {
  const known = working(name);
  if (known) return known;
  if (Object.hasOwn(LOADED, name)) {
    throw new BackendError('backend', `'${name}' starts asynchronously; await startBackend('${name}') first`);
  }
  if (!Object.hasOwn(AT_ONCE, name)) {
    throw new BackendError('backend', `there is no '${name}'; choose one of ${BACKEND_NAMES.join(', ')}`);
  }
  const backend = AT_ONCE[name]();
  instances.set(name, backend);
  return backend;
}

/**
 * As `backendNamed`, also for backends loaded first: `reference`, `gpu:webgpu`, `gpu:webgl2`, `gpu:webasm`, `gpu:cpu`.
 * Nothing else runs in place of the one asked for. A failed one (a lost device) is restarted.
 *
 * @throws BackendError if there is none of that name, or it cannot run here, with the reason
 */
export async function startBackend(name: string): Promise<Backend> {
  if (!Object.hasOwn(LOADED, name) || working(name)) return backendNamed(name);
  const pending = starting.get(name) ?? load(name);
  starting.set(name, pending);
  return pending;
}

/** The backend of that name if it was started and has not failed since, as one does that loses its device. */
function working(name: string): Backend | undefined {
  const known = instances.get(name);
  return known && 'failure' in known && known.failure !== null ? undefined : known;
}

async function load(name: string): Promise<Backend> {
  try {
    const backend = await LOADED[name]();
    instances.set(name, backend);
    return backend;
  } finally {
    starting.delete(name);
  }
}

const REQUIRED: readonly (keyof (Device & RequiredKernels))[] = [
  ...(['alloc', 'upload', 'read', 'free', 'fill', 'copy', 'copyInto', 'unary'] as const),
  ...(['binary', 'where', 'reduce', 'matmul', 'im2col', 'col2im'] as const),
];

/** Makes new tensors live on `backend` from now on. Returns it. @throws BackendError naming the kernels it lacks */
export function setBackend<B extends Backend>(backend: B): B {
  const lacking = REQUIRED.filter((name) => typeof backend?.[name] !== 'function');
  if (lacking.length > 0) throw new BackendError('setBackend', `this is no backend: it lacks ${lacking.join(', ')}`);
  current = { backend, description: { name: backend.name, why: 'set by setBackend', refused: [] } };
  return backend;
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
  try {
    const backend = backendNamed('wasm');
    return { backend, description: { name: backend.name, why: 'preferred by default', refused: [] } };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const known = working('reference');
    const refused = [{ name: 'wasm', why: error.message }];
    if (known) {
      return { backend: known, description: { name: 'reference', why: 'wasm cannot run here', refused } };
    }
    throw new BackendError(
      'backend',
      `${error.message}; setBackend(await startBackend('reference')) runs anywhere, slowly`,
    );
  }
}

provideDevice(currentBackend);
