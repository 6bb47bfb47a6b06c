import type { BackendError } from '../../tensor/errors.js';
import type { CompiledKernel } from './gpujs.js';
import type { AdapterInfo } from './webgpu.js';

/** How values live and kernels are called in a mode. What a value is, is the executor's own affair. */
export interface Executor {
  /** True if results stay on a device, so that arrays from the host must be uploaded first. */
  readonly resident: boolean;
  /** True if a kernel that returns several numbers a thread leaves them in pieces, which `FLATTEN` joins. */
  readonly piecewise: boolean;
  /** Why nothing here can be relied on any more; null while all is well. */
  readonly failure: BackendError | null;
  /** What computes, where only the device itself can tell. */
  readonly adapter?: AdapterInfo | undefined;
  /** Runs a kernel on values and then scalars; `perThread` numbers come from each thread. */
  run(kernel: CompiledKernel, values: readonly unknown[], scalars: readonly number[], perThread: number): unknown;
  /** Runs an identity kernel on a host array, which it does not keep. */
  upload(kernel: CompiledKernel, data: Float32Array): unknown;
  /** @throws BackendError if the numbers are lost, or never came to be */
  read(value: unknown): Promise<Float32Array>;
  free(value: unknown): void;
  reserve(): Reservation;
}

/** The device for oneself: what is issued later by others waits until it ends. */
export interface Reservation {
  /** Resolves when all that was issued before has been handed to the device. */
  readonly ready: Promise<unknown>;
  /** Issues calls in spite of the reservation. */
  pass<T>(work: () => T): T;
  end(): void;
}

/** Calls run when they are made, so there is nothing to wait for. */
export const UNDISPUTED: Reservation = { ready: Promise.resolve(), pass: (work) => work(), end: () => undefined };
