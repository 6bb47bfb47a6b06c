import { BackendError } from '../../tensor/errors.js';
import type { CompiledKernel, DeviceArray, KernelArgument } from './gpujs.js';
import type { GpuMode } from './modes.js';

/** How values live and kernels are called in a mode. What a value is, is the executor's own affair. */
export interface Executor {
  /** True if results stay on a device, so that arrays from the host must be uploaded first. */
  readonly resident: boolean;
  /** Runs a kernel on values and then scalars. `identity` kernels get one host array. */
  run(kernel: CompiledKernel, values: readonly unknown[], scalars: readonly number[]): unknown;
  /** Runs an identity kernel on a host array, which it does not keep. */
  upload(kernel: CompiledKernel, data: Float32Array): unknown;
  read(value: unknown): Promise<Float32Array>;
  free(value: unknown): void;
}

/** Results are host arrays: WebAssembly and plain JavaScript. */
const onHost: Executor = {
  resident: false,
  run: (kernel, values, scalars) => kernel(...(values as Float32Array[]), ...scalars),
  upload: (_, data) => data.slice(),
  read: async (value) => (value as Float32Array).slice(),
  free: () => undefined,
};

/** Results are textures of one WebGL context; calls and deletions are ordered by the context itself. */
const inTextures: Executor = {
  resident: true,
  run: (kernel, values, scalars) => kernel(...(values as DeviceArray[]), ...scalars),
  upload: (kernel, data) => kernel(data),
  read: async (value) => Float32Array.from(await (value as DeviceArray).toArray()),
  free: (value) => (value as DeviceArray).delete(),
};

/** A buffer that may still be on its way, and the calls that have yet to read it. */
interface Pending {
  readonly buffer: Promise<DeviceArray>;
  users: number;
  freed: boolean;
}

/**
 * Results are WebGPU buffers, promised. A buffer is deleted when it is free *and* every call that reads it has settled:
 * the first call of a kernel only samples its arguments once it is compiled. A failed call fails whatever reads its
 * result, and at last the read-back.
 */
const inBuffers: Executor = {
  resident: true,
  run(kernel, values, scalars) {
    const inputs = values as Pending[];
    for (const input of inputs) input.users++;
    const call = async () => {
      const buffers: KernelArgument[] = await Promise.all(inputs.map(({ buffer }) => buffer));
      return (await kernel(...buffers, ...scalars)) as DeviceArray;
    };
    return promised(
      call().finally(() => {
        for (const input of inputs) {
          input.users--;
          deleteIfUnused(input);
        }
      }),
    );
  },
  upload: (kernel, data) => promised(Promise.resolve(kernel(data) as Promise<DeviceArray>)),
  async read(value) {
    const pending = value as Pending;
    pending.users++;
    try {
      return await (await pending.buffer).toArray();
    } catch (cause) {
      throw new BackendError('gpu:webgpu', describeFailure(cause), { cause });
    } finally {
      pending.users--;
      deleteIfUnused(pending);
    }
  },
  free(value) {
    const pending = value as Pending;
    pending.freed = true;
    deleteIfUnused(pending);
  },
};

function promised(buffer: Promise<DeviceArray>): Pending {
  // A failure is reported by whoever reads; without a handler here Node would end the process first.
  buffer.catch(() => undefined);
  return { buffer, users: 0, freed: false };
}

function deleteIfUnused(pending: Pending): void {
  if (!pending.freed || pending.users > 0) return;
  pending.buffer.then(
    (buffer) => buffer.delete(),
    () => undefined,
  );
}

function describeFailure(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/lost/i.test(reason)) return `the device was lost; start the backend anew (${reason})`;
  if (/memory|bytes/i.test(reason)) return `the device has no room; use a smaller batch (${reason})`;
  return `a kernel failed: ${reason}`;
}

export const EXECUTORS: Readonly<Record<GpuMode, Executor>> = {
  webgpu: inBuffers,
  webgl2: inTextures,
  webasm: onHost,
  cpu: onHost,
};
