import { BackendError } from '../../tensor/errors.js';
import { inflate } from './inflate.js';

/** Two binaries as the build packs them. */
export interface PackedBinaries {
  /** Bytes of the plain binary; those that only the relaxed one has come after it in `packed`. */
  readonly plainBytes: number;
  readonly literalBytes: number;
  /** Steps to the relaxed binary: start and length of a copy from the plain one, bytes of its own after that. */
  readonly relaxedSteps: readonly number[];
  /** Both, raw deflate, base64. */
  readonly packed: string;
}

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

/** A binary of the two; the memory it imports is marked unshared if `shared` is false. */
export function unpack(binaries: PackedBinaries, simd: 'plain' | 'relaxed', shared: boolean): Uint8Array<ArrayBuffer> {
  const { packed, plainBytes, literalBytes } = binaries;
  const compressed = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const both = inflate(compressed, plainBytes + literalBytes);
  const bytes = simd === 'relaxed' ? relaxedOf(both, binaries) : both.slice(0, plainBytes);
  if (!shared) bytes[memoryFlags(bytes)] = 1;
  return bytes;
}

/** The relaxed binary, from the plain one and what it has of its own. */
function relaxedOf(both: Uint8Array, { plainBytes, relaxedSteps }: PackedBinaries): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  for (let i = 0, own = plainBytes; i < relaxedSteps.length; i += 3) {
    const [start, length, literals] = relaxedSteps.slice(i, i + 3);
    pieces.push(both.subarray(start, start + length), both.subarray(own, own + literals));
    own += literals;
  }
  return joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Where the limits of the imported memory start: 3 means shared with a maximum, 1 unshared with a maximum. */
function memoryFlags(bytes: Uint8Array): number {
  const entry = [...'\x03env\x06memory\x02'].map((character) => character.charCodeAt(0));
  return bytes.findIndex((_, at) => entry.every((byte, i) => bytes[at + i] === byte)) + entry.length;
}

/** The kernels, compiled at once. @throws BackendError if the engine refuses */
export function compiledKernels(binary: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(binary);
  } catch (cause) {
    throw notCompiled(cause);
  }
}

/** The engine's refusal to compile the kernels, with what can be done about it. */
export function notCompiled(cause: unknown): BackendError {
  const advice = "where a content security policy is the reason, let its script-src have 'wasm-unsafe-eval'";
  return new BackendError('wasm', `the kernels cannot be compiled here (${String(cause)}); ${advice}`, { cause });
}
