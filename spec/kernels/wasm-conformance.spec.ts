import t from 'tap';
import type { Backend } from '../../lib/kernels/backend.js';
import { createWasmBackend, type WasmOptions } from '../../lib/kernels/wasm/index.js';
import { BackendError } from '../../lib/tensor/errors.js';
import { conformance } from './conformance.js';

/** The backend, or the reason why it cannot run here. */
function start(options: WasmOptions): Backend | string {
  try {
    return createWasmBackend(options);
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

for (const relaxedSimd of [false, true]) {
  const backend = start({ relaxedSimd });
  const name = relaxedSimd ? 'relaxed SIMD' : 'plain SIMD';
  if (typeof backend === 'string') t.pass(name, { skip: backend });
  else await t.test(name, (t) => conformance(t, backend));
}
