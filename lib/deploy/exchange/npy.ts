import { asInstance } from '../../tensor/argument.js';
import { DataError, formatShape } from '../../tensor/errors.js';
import { sizeOf } from '../../tensor/shape.js';
import { littleEndian } from './littleEndian.js';

/** The element types that are read, by NumPy's names without their byte order. */
const ARRAYS = {
  f4: ['float32', Float32Array],
  f8: ['float64', Float64Array],
  i1: ['int8', Int8Array],
  i2: ['int16', Int16Array],
  i4: ['int32', Int32Array],
  i8: ['int64', BigInt64Array],
  u1: ['uint8', Uint8Array],
  u2: ['uint16', Uint16Array],
  u4: ['uint32', Uint32Array],
  u8: ['uint64', BigUint64Array],
} as const;

/** An array of numbers, row-major. */
export interface NpyArray {
  /** `float32`, `int8` and the like. */
  readonly type: (typeof ARRAYS)[keyof typeof ARRAYS][0];
  readonly shape: readonly number[];
  readonly data: InstanceType<(typeof ARRAYS)[keyof typeof ARRAYS][1]>;
}

type NpyData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

/**
 * An array that NumPy saved, of format 1, 2 or 3: little-endian numbers in C order.
 * @param name of the file, for errors
 * @throws DataError naming the file, if it is damaged, or of an order or element type that is not read
 */
export function readNpy(bytes: Uint8Array, name: string): NpyArray {
  asInstance('npy', 'bytes', bytes, Uint8Array);
  const fail = (problem: string): never => {
    throw new DataError('npy', `${name} ${problem}`);
  };
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) fail('is no .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6];
  if (version < 1 || version > 3) fail(`is of format ${version}; 1 to 3 are read`);
  const begin = version === 1 ? 10 : 12;
  const end = begin + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (end > bytes.length) fail('is cut off in its header');
  const header = new TextDecoder('latin1').decode(bytes.subarray(begin, end));
  const [, descr = ''] = /'descr':\s*'([^']*)'/.exec(header) ?? [];
  const [, order = ''] = /'fortran_order':\s*(True|False)/.exec(header) ?? [];
  const [, extents] = /'shape':\s*\(([\d\s,]*)\)/.exec(header) ?? [];
  if (order === '' || extents === undefined) return fail('has a header that is not understood');
  if (order === 'True') fail('is in Fortran order; save it with numpy.ascontiguousarray');
  const [type, TypedArray] = (Object.hasOwn(ARRAYS, descr.slice(1)) &&
    ARRAYS[descr.slice(1) as keyof typeof ARRAYS]) || [null, null];
  if (type === null || (descr[0] !== '<' && descr[0] !== '|')) return fail(`holds '${descr}', which is not read`);
  const shape = extents.split(',').flatMap((text) => (text.trim() === '' ? [] : [Number(text)]));
  const length = sizeOf(shape) * TypedArray.BYTES_PER_ELEMENT;
  if (!Number.isSafeInteger(length) || bytes.length - end !== length) {
    fail(`has ${bytes.length - end} bytes of numbers; its shape ${formatShape(shape)} wants ${length}`);
  }
  const copy = littleEndian(bytes.subarray(end), TypedArray.BYTES_PER_ELEMENT);
  return { type, shape, data: new TypedArray(copy.buffer) };
}

/** The bytes of an array as NumPy saves it, format 1. @throws DataError if the numbers do not fill the shape */
export function writeNpy({ shape, data }: Pick<NpyArray, 'shape'> & { readonly data: NpyData }): Uint8Array {
  const entry = Object.entries(ARRAYS).find(([, [, TypedArray]]) => data instanceof TypedArray);
  if (entry === undefined || sizeOf(shape) !== data.length) {
    throw new DataError('npy', `cannot store numbers of shape ${formatShape(shape)}`);
  }
  const width = data.BYTES_PER_ELEMENT;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const descr = `${width === 1 ? '|' : '<'}${entry[0]}`;
  const header = new TextEncoder().encode(`{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`);
  // Spaces and a line's end fill the header, so that the numbers begin at a multiple of 64.
  const start = Math.ceil((MAGIC.length + 4 + header.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + data.byteLength).fill(0x20, 0, start);
  bytes.set(MAGIC);
  bytes.set([1, 0, (start - 10) & 255, (start - 10) >> 8], MAGIC.length);
  bytes.set(header, MAGIC.length + 4);
  bytes[start - 1] = 0x0a;
  bytes.set(littleEndian(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), width), start);
  return bytes;
}
