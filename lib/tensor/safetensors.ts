import { asInstance, asNumbers, asOptions } from './argument.js';
import { DataError, formatShape } from './errors.js';
import type { HostTensor } from './hostTensor.js';
import { jsonKeys, jsonObject } from './jsonKeys.js';
import { decoders } from './safetensorsDtypes.js';
import { sizeOf } from './shape.js';
import { dtypeOf, type TypedArray } from './storage.js';

/** Hugging Face's safetensors: a JSON header's length (8 bytes, little-endian), the header, the numbers, gapless. */

/** What a file holds: named tensors, and strings about them. */
export interface TensorFile {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor of a file. */
export interface StoredTensor extends HostTensor {
  /** Integers take as few bytes as their values need, in place of those of their array; they read back as int32. */
  readonly smallest?: boolean;
}

/** Longest header the format allows. */
const HEADER_LIMIT = 100_000_000;

/** The one name in a header that is not a tensor's. */
const METADATA = '__metadata__';

const DTYPE_NAMES = { float64: 'F64', float32: 'F32', int32: 'I32' } as const;

/** Signed integers, the narrowest first. */
const INTEGER_DTYPES = [
  ['I8', Int8Array],
  ['I16', Int16Array],
] as const;

/**
 * The bytes of a file. Equal contents give equal bytes: tensors keep the order of the map, wider dtypes first.
 * @throws DataError if a tensor's numbers do not fill its shape, or is called `__metadata__`
 */
export function encodeSafetensors(file: TensorFile): Uint8Array {
  const { tensors, metadata } = asOptions('safetensors', file, 'the contents');
  asInstance('safetensors', 'tensors', tensors, Map);
  asOptions('safetensors', metadata, 'the metadata');
  const entries = [...tensors].map(([name, { shape, data, smallest }]) => {
    const dtype = dtypeOf(data);
    if (name === METADATA || dtype === undefined || sizeOf(shape) !== data.length) {
      throw new DataError('safetensors', `cannot store ${name} of shape ${formatShape(shape)}`);
    }
    const narrow = smallest && data instanceof Int32Array ? narrowest(data) : null;
    return { name, shape, ...(narrow ?? { dtype: DTYPE_NAMES[dtype], data }) };
  });
  // Widest first keeps every tensor aligned to its own elements.
  entries.sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  let end = 0;
  for (const { name, shape, data, dtype } of entries) {
    header.push([name, { dtype, shape, data_offsets: [end, end + data.byteLength] }]);
    end += data.byteLength;
  }
  const text = new TextEncoder().encode(jsonObject(header));
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  let at = start;
  for (const { data } of entries) {
    bytes.set(littleEndian(data), at);
    at += data.byteLength;
  }
  return bytes;
}

/** The same integers in fewer bytes; null if they need all of theirs. */
function narrowest(data: Int32Array): { readonly dtype: string; readonly data: Int8Array | Int16Array } | null {
  for (const [dtype, Narrow] of INTEGER_DTYPES) {
    const narrow = new Narrow(data);
    if (narrow.every((value, i) => value === data[i])) return { dtype, data: narrow };
  }
  return null;
}

/** The bytes of an array as files hold them; on most machines a view of its memory. */
export function littleEndian(data: TypedArray | Int8Array | Int16Array): Uint8Array {
  asNumbers('safetensors', 'data', data);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return bytes;
  const width = data.BYTES_PER_ELEMENT;
  return bytes.map((_, i) => bytes[i - (i % width) + width - 1 - (i % width)]);
}

/**
 * The contents of a file, tensors in the order of its header. Half-precision numbers become float32, booleans and
 * integers that fit become int32.
 *
 * @param name of the file, for errors
 * @throws DataError naming the file if it is truncated, its header is no such JSON, or tensors overlap, leave gaps,
 *   pass the file's end, have an unknown dtype, not their shape's size or a name that occurs twice
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): TensorFile {
  const fail = (problem: string): never => {
    throw new DataError('safetensors', `${name}: ${problem}`);
  };
  asInstance('safetensors', 'bytes', bytes, Uint8Array);
  if (bytes.length < 8) fail(`only ${bytes.length} bytes; not a safetensors file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > HEADER_LIMIT) fail(`header of ${length} bytes is beyond the format's limit; not a safetensors file`);
  const start = 8 + Number(length);
  if (start > bytes.length) fail(`header of ${length} bytes ends beyond the file of ${bytes.length}; truncated?`);
  const header = parseHeader(bytes.subarray(8, start), fail);
  const extents = [...header].flatMap(([key, entry]) => (key === METADATA ? [] : parseEntry(key, entry, fail)));
  checkExtents(extents, bytes.length - start, fail);
  const tensors = new Map<string, HostTensor>();
  for (const extent of extents) {
    const block = new DataView(bytes.buffer, bytes.byteOffset + start + extent.begin, extent.end - extent.begin);
    const data = extent.decoder.read(block, sizeOf(extent.shape));
    if (data === null) return fail(`${shown(extent.name)} holds integers beyond int32`);
    tensors.set(extent.name, { shape: extent.shape, data });
  }
  return { tensors, metadata: parseMetadata(header.get(METADATA), fail) };
}

/** Where a tensor lies, in bytes from the end of the header. */
interface Extent {
  readonly name: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly decoder: (typeof decoders)[keyof typeof decoders];
}

type Fail = (problem: string) => never;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The members of the header in their order. */
function parseHeader(bytes: Uint8Array, fail: Fail): Map<string, unknown> {
  let text = '';
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    fail('the header is not JSON');
  }
  if (!isRecord(header)) return fail('the header is not a JSON object');
  const members = new Map<string, unknown>();
  for (const key of jsonKeys(text)) {
    if (members.has(key)) fail(`${shown(key)} occurs twice in the header`);
    members.set(key, header[key]);
  }
  return members;
}

/** What is quoted from a file in an error. */
function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function parseMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value)) return fail('__metadata__ is not an object');
  const odd = Object.entries(value).find(([, text]) => typeof text !== 'string');
  if (odd) fail(`__metadata__.${shown(odd[0])} is not a string`);
  return value as Record<string, string>;
}

function parseEntry(name: string, entry: unknown, fail: Fail): Extent {
  const tensor = shown(name);
  if (!isRecord(entry)) return fail(`${tensor} is not an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isCounts(shape)) return fail(`${tensor} has no shape of non-negative integers`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return fail(`${tensor} has no data_offsets [begin, end]`);
  }
  if (typeof dtype !== 'string' || !Object.hasOwn(decoders, dtype)) {
    return fail(`${tensor} has dtype ${shown(String(dtype))}; known are ${Object.keys(decoders).join(', ')}`);
  }
  const decoder = decoders[dtype as keyof typeof decoders];
  const [begin, end] = offsets;
  const wanted = sizeOf(shape) * decoder.bytes;
  if (end - begin !== wanted) {
    fail(`${tensor} of ${dtype} and shape ${shown(formatShape(shape))} needs ${wanted} bytes; it has ${end - begin}`);
  }
  return { name, shape, begin, end, decoder };
}

/** The tensors must tile the data: no gap, no overlap, nothing outside. */
function checkExtents(extents: readonly Extent[], available: number, fail: Fail): void {
  let at = 0;
  for (const { name, begin, end } of [...extents].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > available) fail(`${shown(name)} ends at byte ${end} of ${available}; truncated?`);
    if (begin < at) fail(`${shown(name)} overlaps another tensor`);
    if (begin > at) fail(`bytes ${at} to ${begin} belong to no tensor`);
    at = end;
  }
  if (at !== available) fail(`${available - at} bytes at the end belong to no tensor`);
}
