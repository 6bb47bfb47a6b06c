import type { Backend, BackendImplementation, FusedKernels } from './backend.js';
import type { Kernels } from './defaults/compose.js';
import { convolution } from './defaults/convolution.js';
import { normalization } from './defaults/normalization.js';
import { optimizers } from './defaults/optimizers.js';
import { pooling } from './defaults/pooling.js';
import { quantization } from './defaults/quantization.js';
import { weights } from './defaults/weights.js';

/** Every fused kernel, composed from simpler kernels of `backend`. These compositions are the definition. */
export function defaults(backend: Kernels): FusedKernels {
  return {
    ...convolution(backend),
    ...pooling(backend),
    ...normalization(backend),
    ...quantization,
    ...weights,
    ...optimizers(backend),
  };
}

/**
 * Gives an implementation the fused kernels it lacks. It is the same object afterwards, so that its storages still name
 * it as their device.
 */
export function completeBackend(implementation: BackendImplementation): Backend {
  const composed = Object.entries(defaults(implementation));
  const missing = composed.filter(([name]) => !(name in implementation));
  return Object.assign(implementation, Object.fromEntries(missing)) as Backend;
}
