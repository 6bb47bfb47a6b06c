import { binaries } from './binaries.generated.js';
import { unpack } from './unpack.js';

/** The binary of all kernels; the memory it imports is marked unshared if `shared` is false. */
export function kernelBinary(simd: 'plain' | 'relaxed', shared: boolean): Uint8Array<ArrayBuffer> {
  return unpack(binaries, simd, shared);
}
