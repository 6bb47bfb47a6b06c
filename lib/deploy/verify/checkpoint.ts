/**
 * What a verifier reads of a checkpoint, by a few lines of its own: nothing in this folder imports from outside of it,
 * so that a mistake of the prover cannot be repeated here.
 */

/** Thrown where a file cannot be what it says. */
export class Refused extends Error {}

/** One quantized layer as a checkpoint holds it. */
export interface StoredFacts {
  readonly layer: string;
  readonly weightBits: number;
  readonly inputBits: number;
  readonly inputSigned: boolean;
  readonly bound: 'a2q' | 'a2q+' | null;
  readonly accumulatorBits: number | null;
  readonly channels: number;
  /** `[channels, K]`, row-major. */
  readonly q: Int32Array;
}

/** A checkpoint, as far as a certificate speaks of it. */
export interface CheckpointFacts {
  readonly configText: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly by: unknown;
  readonly layers: readonly StoredFacts[];
}

export type Json = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A safetensors file: what its header says, the strings about it, and the numbers behind. */
export interface TensorBytes {
  readonly header: Json;
  readonly metadata: Json;
  readonly data: DataView;
}

/** @throws Refused unless the bytes are a safetensors file */
export function readTensorBytes(bytes: Uint8Array, what: string): TensorBytes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes.length < 8 ? Number.POSITIVE_INFINITY : 8 + Number(view.getBigUint64(0, true));
  if (start > bytes.length) throw new Refused(`${what} is no safetensors file`);
  const header = parse(new TextDecoder().decode(bytes.subarray(8, start)), `the header of ${what}`);
  const metadata = isRecord(header['__metadata__']) ? header['__metadata__'] : {};
  return { header, metadata, data: new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start) };
}

/** @throws Refused unless the bytes are a safetensors file with a configuration and integers */
export function readFacts(bytes: Uint8Array): CheckpointFacts {
  const { header, metadata, data } = readTensorBytes(bytes, 'the checkpoint');
  const { a2q_config: configText, a2q_integers: stored } = metadata;
  if (typeof configText !== 'string') throw new Refused('the checkpoint holds no configuration');
  if (typeof stored !== 'string') throw new Refused('the checkpoint holds no integers, so there is nothing to verify');
  const { by, layers } = parse(stored, 'what the checkpoint says of its integers');
  if (!Array.isArray(layers)) throw new Refused('the checkpoint lists no layers');
  return {
    configText,
    config: parse(configText, 'the configuration of the checkpoint'),
    by,
    layers: layers.map((facts) => readLayer(facts, header, data)),
  };
}

/** @throws Refused unless the text is that of an object */
export function parse(text: string, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused(`${what} is not JSON`);
  }
  if (isRecord(value)) return value;
  throw new Refused(`${what} is not an object`);
}

const isBits = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 32;

function readLayer(facts: unknown, header: Json, data: DataView): StoredFacts {
  if (!isRecord(facts)) throw new Refused('a layer of the checkpoint is not an object');
  const { layer, weightBits, inputBits, inputSigned, bound, accumulatorBits } = facts;
  const claims = bound === null ? accumulatorBits === null : isBits(accumulatorBits);
  const known = bound === null || bound === 'a2q' || bound === 'a2q+';
  if (typeof layer !== 'string' || !isBits(weightBits) || !isBits(inputBits) || !known || !claims) {
    throw new Refused(
      `the checkpoint does not say what layer ${typeof layer === 'string' ? layer : 'it speaks of'} is`,
    );
  }
  const { shape, q } = readIntegers(layer, header[`integers/${layer}.weight`], data);
  if (q.length === 0) throw new Refused(`the integers of ${layer} are missing or damaged`);
  const most = 2 ** (weightBits - 1) - 1;
  const beyond = q.findIndex((value) => Math.abs(value) > most);
  if (beyond >= 0) throw new Refused(`weight ${beyond} of ${layer} is ${q[beyond]}, beyond ${weightBits} bits`);
  return {
    ...{ layer, weightBits, inputBits, inputSigned: inputSigned === true, bound },
    accumulatorBits: accumulatorBits as number | null,
    channels: shape[0],
    q,
  };
}

const WIDTHS: Readonly<Record<string, 1 | 2 | 4>> = { I8: 1, I16: 2, I32: 4 };

/** Integers of any width. @throws Refused unless the entry of the header names such in the file */
export function readIntegers(
  what: string,
  entry: unknown,
  data: DataView,
): { shape: readonly number[]; q: Int32Array } {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  const width = typeof dtype === 'string' && Object.hasOwn(WIDTHS, dtype) ? WIDTHS[dtype] : undefined;
  const [begin, end] = Array.isArray(offsets) ? offsets : [];
  const isShape = Array.isArray(shape) && shape.every((extent) => Number.isInteger(extent) && extent >= 0);
  const count = isShape ? shape.reduce((size, extent) => size * extent, 1) : Number.NaN;
  const inside = Number.isInteger(begin) && begin >= 0 && end <= data.byteLength;
  if (width === undefined || !(isShape && shape.length > 0) || !inside || end - begin !== count * width) {
    throw new Refused(`the integers of ${what} are missing or damaged`);
  }
  const q = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const at = begin + i * width;
    q[i] = width === 1 ? data.getInt8(at) : width === 2 ? data.getInt16(at, true) : data.getInt32(at, true);
  }
  return { shape, q };
}
