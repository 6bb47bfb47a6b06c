import { BackendError } from '../../tensor/errors.js';

/** What gpu.js, a driver or a browser said, as an error of ours that says what to do about it. */
export function failureOf(backend: string, cause: unknown): BackendError {
  if (cause instanceof BackendError) return cause;
  const [reason] = (cause instanceof Error ? cause.message : String(cause)).trim().split('\n');
  return new BackendError(backend, `${advice(reason)} (${reason})`, { cause });
}

function advice(reason: string): string {
  if (/\blost\b|destroyed/i.test(reason)) return 'the device was lost, and all tensors on it; start the backend anew';
  if (/memory|exceeds|too large|greater than|bytes/i.test(reason)) {
    return 'the device has no room; start the backend anew, with a smaller batch';
  }
  return 'a kernel failed';
}
