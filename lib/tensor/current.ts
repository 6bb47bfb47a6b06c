import { BackendError } from './errors.js';
import type { Device } from './storage.js';

let choose: (() => Device) | null = null;

/** Tells tensor creation which device to use; the kernel registry calls this once. */
export function provideDevice(provider: () => Device): void {
  choose = provider;
}

/** The device new tensors are made on. @throws BackendError if no backend has been set up */
export function currentDevice(): Device {
  if (choose === null)
    throw new BackendError('tensor', 'no backend is set up; import the package root or call setBackend');
  return choose();
}
