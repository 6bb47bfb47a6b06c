import { BackendError } from '../../tensor/errors.js';
import { type Executor, UNDISPUTED } from './executor.js';
import type { CompiledKernel, DeviceArray, KernelArgument } from './gpujs.js';

/** The part of a WebGL context that is used here. */
interface GlContext {
  isContextLost(): boolean;
  getError(): number;
}

const OUT_OF_MEMORY = 0x0505;

/**
 * Results are textures of one WebGL context; calls and deletions are ordered by the context itself. A lost context computes
 * nothing and says nothing, so it is asked.
 */
export function inTextures(): Executor {
  let failure: BackendError | null = null;
  let context: GlContext | null = null;
  const fail = (says: string) => {
    failure ??= new BackendError('gpu:webgl2', says);
    throw failure;
  };
  const check = () => {
    if (failure) throw failure;
    if (context?.isContextLost()) fail('the context was lost, and all tensors in it; start the backend anew');
  };
  const call = (kernel: CompiledKernel, ...args: readonly KernelArgument[]): DeviceArray => {
    check();
    const result = kernel(...args) as DeviceArray;
    context ??= (kernel.kernel as { context?: GlContext }).context ?? null;
    return result;
  };
  return {
    resident: true,
    piecewise: true,
    get failure() {
      return failure;
    },
    run: (kernel, values, scalars) => call(kernel, ...(values as DeviceArray[]), ...scalars),
    upload: (kernel, data) => call(kernel, data),
    async read(value) {
      check();
      const numbers = Float32Array.from(await (value as DeviceArray).toArray());
      check();
      if (context?.getError() === OUT_OF_MEMORY)
        fail('the device has no room; start the backend anew, with a smaller batch');
      return numbers;
    },
    free: (value) => (value as DeviceArray).delete(),
    reserve: () => UNDISPUTED,
  };
}
