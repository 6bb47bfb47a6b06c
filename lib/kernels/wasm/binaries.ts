import { plain, relaxed } from './binaries.generated.js';

/** A module of one relaxed multiply-add, valid only where the engine has relaxed SIMD. */
const RELAXED_PROBE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11],
);

/** True if the engine runs relaxed SIMD: Node 22 and newer, current browsers. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(RELAXED_PROBE);
}

/**
 * Demands relaxed SIMD. Node 20 has it behind an experimental flag of the whole process, which this sets; so it is done
 * only when asked for. False if the engine cannot.
 */
export function demandRelaxedSimd(): boolean {
  if (hasRelaxedSimd()) return true;
  const v8 = globalThis.process?.getBuiltinModule?.('node:v8');
  v8?.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return hasRelaxedSimd();
}

/** Memory that several threads may see; missing in browsers on pages that are not cross-origin isolated. */
export function hasSharedMemory(): boolean {
  return typeof SharedArrayBuffer === 'function';
}

/** The binary of all kernels; the memory it imports is marked unshared if `shared` is false. */
export function kernelBinary(simd: 'plain' | 'relaxed', shared: boolean): Uint8Array<ArrayBuffer> {
  const text = atob(simd === 'relaxed' ? relaxed : plain);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  if (!shared) bytes[memoryFlags(text)] = 1;
  return bytes;
}

/** Where the limits of the imported memory start: 3 means shared with a maximum, 1 unshared with a maximum. */
function memoryFlags(text: string): number {
  const entry = '\x03env\x06memory\x02';
  return text.indexOf(entry) + entry.length;
}
