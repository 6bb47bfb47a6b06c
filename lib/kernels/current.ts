import { provideDevice } from '../tensor/current.js';
import { BackendError } from '../tensor/errors.js';
import type { Device } from '../tensor/storage.js';
import type { Backend, RequiredKernels } from './backend.js';
import { createWasmBackend } from './wasm/index.js';

/** The current backend: what was set, else `wasm`, the only one that a program contains without asking for it. */

/** What runs, and how that came about. */
export interface BackendDescription {
  /** What really runs; the backend's own name. */
  readonly name: string;
  /** Why this one: chosen by a call, or preferred over the rest. */
  readonly why: string;
  /** Preferred backends that cannot run here, each with its reason. */
  readonly refused: readonly { readonly name: string; readonly why: string }[];
}

/** Backends that were started, by name. */
export const instances = new Map<string, Backend>();
let current: { readonly backend: Backend; readonly description: BackendDescription } | null = null;

/** The backend of that name if it was started and has not failed since, as one does that loses its device. */
export function working(name: string): Backend | undefined {
  const known = instances.get(name);
  return known && 'failure' in known && known.failure !== null ? undefined : known;
}

/** The wasm backend, started on first use. @throws BackendError if the engine lacks WebAssembly SIMD */
export function wasmBackend(): Backend {
  const backend = working('wasm') ?? createWasmBackend();
  instances.set('wasm', backend);
  return backend;
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
    const backend = wasmBackend();
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

// Tensors are made on it wherever it is not said otherwise.
provideDevice(currentBackend);
