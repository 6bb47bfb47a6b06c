import type { BackendError } from '../../tensor/errors.js';
import type { Executor } from './executor.js';
import { failureOf } from './failure.js';
import type { DeviceArray, KernelArgument } from './gpujs.js';

/** A WebGPU buffer as gpu.js hands it out, with the fields of it that are used here. */
interface GpuBuffer extends DeviceArray {
  /** Numbers a thread, which as an argument must be 1, and threads. */
  componentCount: number;
  output: number[];
  readonly context: { readonly device: GpuDevice; readonly isLost: boolean };
}

/** The part of a `GPUDevice` that is used here. */
interface GpuDevice {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  onuncapturederror: ((event: { readonly error: { readonly message: string } }) => void) | null;
}

/** A buffer that may still be on its way, and the calls that have yet to read it. */
interface Pending {
  readonly buffer: Promise<GpuBuffer>;
  users: number;
  freed: boolean;
}

/** Who is told of each device's failure: its errors have one handler only, and several runtimes may share it. */
const listeners = new WeakMap<GpuDevice, Set<(failure: BackendError) => void>>();

function listen(device: GpuDevice, onFailure: (failure: BackendError) => void): void {
  const known = listeners.get(device);
  if (known) {
    known.add(onFailure);
    return;
  }
  const all = new Set([onFailure]);
  listeners.set(device, all);
  const tell = (cause: string) => {
    for (const each of all) each(failureOf('gpu:webgpu', cause));
  };
  device.onuncapturederror = ({ error }) => tell(error.message);
  device.lost.then(({ message, reason }) => tell(`lost: ${message || reason}`));
}

/**
 * Results are WebGPU buffers, promised. A buffer is deleted when it is free *and* every call that reads it has settled:
 * the first call of a kernel only samples its arguments once it is compiled. A failed call fails whatever reads its
 * result, and at last the read-back. What the device reports out of turn (no memory, a loss) fails everything from then
 * on, since its numbers would be zeros.
 */
export function inBuffers(): Executor {
  let failure: BackendError | null = null;
  /** Reads under way, to be told of a failure: the device may never answer them. */
  const waiting = new Set<(failure: BackendError) => void>();
  const reportFailure = (found: BackendError) => {
    failure ??= found;
    for (const tell of waiting) tell(failure);
  };
  const adopted = new WeakSet<GpuDevice>();
  const issued = new Set<Promise<unknown>>();
  /** What calls wait for before they start: the reservation last made. */
  let turn: Promise<unknown> | null = null;

  const adopt = (buffer: GpuBuffer): GpuBuffer => {
    const { device } = buffer.context;
    if (!adopted.has(device)) listen(device, reportFailure);
    adopted.add(device);
    return buffer;
  };

  const promised = (work: Promise<GpuBuffer>): Pending => {
    issued.add(work);
    // A failure is reported by whoever reads; without a handler here Node would end the process first.
    work.catch(() => undefined).finally(() => issued.delete(work));
    return { buffer: work, users: 0, freed: false };
  };

  const release = (input: Pending): void => {
    input.users--;
    deleteIfUnused(input);
  };

  return {
    resident: true,
    piecewise: false,
    get failure() {
      return failure;
    },
    run(kernel, values, scalars, perThread) {
      const inputs = values as Pending[];
      for (const input of inputs) input.users++;
      const waitsFor = turn;
      const call = async () => {
        if (waitsFor) await waitsFor;
        const buffers: KernelArgument[] = await Promise.all(inputs.map(({ buffer }) => buffer));
        const result = (await kernel(...buffers, ...scalars)) as GpuBuffer;
        // The numbers of each thread follow those of the one before; gpu.js would not take them as an argument.
        if (perThread > 1) Object.assign(result, { componentCount: 1, output: [result.output[0] * perThread] });
        return adopt(result);
      };
      return promised(call().finally(() => inputs.forEach(release)));
    },
    upload: (kernel, data) => promised((kernel(data) as Promise<GpuBuffer>).then(adopt)),
    async read(value) {
      const pending = value as Pending;
      pending.users++;
      let tell: (failure: BackendError) => void = () => undefined;
      try {
        const numbers = await new Promise<Float32Array>((resolve, reject) => {
          tell = reject;
          waiting.add(tell);
          pending.buffer.then((buffer) => buffer.toArray()).then(resolve, reject);
        });
        if (failure) throw failure;
        return numbers;
      } catch (cause) {
        throw failure ?? failureOf('gpu:webgpu', cause);
      } finally {
        waiting.delete(tell);
        release(pending);
      }
    },
    free(value) {
      const pending = value as Pending;
      pending.freed = true;
      deleteIfUnused(pending);
    },
    reserve() {
      const before = turn;
      let end: () => void = () => undefined;
      const over = new Promise<void>((resolve) => {
        end = resolve;
      });
      const ready = Promise.allSettled([...issued, before]);
      const mine = over.then(() => before);
      turn = mine;
      return {
        ready,
        pass(work) {
          const later = turn;
          turn = null;
          try {
            return work();
          } finally {
            turn = later;
          }
        },
        end() {
          end();
          if (turn === mine) turn = null;
        },
      };
    },
  };
}

function deleteIfUnused(pending: Pending): void {
  if (!pending.freed || pending.users > 0) return;
  pending.buffer.then(
    (buffer) => buffer.delete(),
    () => undefined,
  );
}
