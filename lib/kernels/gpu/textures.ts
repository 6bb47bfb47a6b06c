import { BackendError } from '../../tensor/errors.js';
import { type Executor, UNDISPUTED } from './executor.js';
import type { CompiledKernel, DeviceArray, KernelArgument } from './gpujs.js';

/** The part of a WebGL context that is used here. */
interface GlContext {
  isContextLost(): boolean;
  getError(): number;
  getExtension(name: 'WEBGL_debug_renderer_info'): { readonly UNMASKED_RENDERER_WEBGL: number } | null;
  getParameter(name: number): unknown;
}

const OUT_OF_MEMORY = 0x0505;

/**
 * Results are textures of one WebGL context, which orders calls and deletions. A lost one says nothing, so it is asked.
 */
export function inTextures(): Executor {
  let failure: BackendError | null = null;
  let context: GlContext | null = null;
  const failed = (says: string): BackendError => {
    failure ??= new BackendError('gpu:webgl2', says);
    return failure;
  };
  const check = (): BackendError | null => {
    if (failure === null && context?.isContextLost()) {
      return failed('the device was lost, and all tensors on it; start the backend anew');
    }
    return failure;
  };
  const call = (kernel: CompiledKernel, ...args: readonly KernelArgument[]): DeviceArray => {
    const result = kernel(...args) as DeviceArray;
    context ??= (kernel.kernel as { context?: GlContext }).context ?? null;
    return result;
  };
  return {
    resident: true,
    piecewise: true,
    get failure() {
      return check();
    },
    get adapter() {
      const extension = context?.getExtension('WEBGL_debug_renderer_info');
      return extension ? { description: String(context?.getParameter(extension.UNMASKED_RENDERER_WEBGL)) } : undefined;
    },
    run: (kernel, values, scalars) => call(kernel, ...(values as DeviceArray[]), ...scalars),
    upload: (kernel, data) => call(kernel, data),
    async read(value) {
      const numbers = Float32Array.from(await (value as DeviceArray).toArray());
      // What a lost context gives is not what was there.
      const lost = check();
      if (lost) throw lost;
      if (context?.getError() === OUT_OF_MEMORY) {
        throw failed('the device has no room; start the backend anew, with a smaller batch');
      }
      return numbers;
    },
    free: (value) => (value as DeviceArray).delete(),
    reserve: () => UNDISPUTED,
  };
}
