import type { Device } from '../tensor/storage.js';

/** What decides the last bits of a result: the backend and, of WebAssembly, which instructions. Threads do not. */
export interface Engine {
  readonly backend: string;
  /** `plain` or `relaxed` where there is a choice; null elsewhere. */
  readonly simd: string | null;
}

/** What computes on the memory of a device. */
export function engineOf(device: Device): Engine {
  const describe = 'describe' in device && typeof device.describe === 'function' ? device.describe() : {};
  const simd: unknown = describe.simd;
  return { backend: device.name, simd: typeof simd === 'string' ? simd : null };
}

/** `wasm (relaxed SIMD)`. */
export function formatEngine({ backend, simd }: Engine): string {
  return simd === null ? backend : `${backend} (${simd} SIMD)`;
}
