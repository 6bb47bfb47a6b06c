/** ONNX models as plain data, without the library that reads and writes their bytes. */

/** A model: one graph, and the versions of the operators in it. */
export interface OnnxModel {
  readonly irVersion: number;
  /** Versions by domain; ONNX's own domain is the empty string. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  /** Strings about it. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraph;
}

export interface OnnxGraph {
  readonly name: string;
  /** Without initializers, which older files repeat here. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** Constants by name. */
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly nodes: readonly OnnxNode[];
  /** What QONNX says of values: `INT4`, `UINT8`, `BIPOLAR`. */
  readonly datatypes: ReadonlyMap<string, string>;
}

/** A named value; an extent is a number, or a name where it varies; the shape is null if it is not said. */
export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[] | null;
}

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  /** An empty name is an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

export type OnnxAttribute =
  | { readonly type: 'float' | 'int'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: OnnxTensor }
  | { readonly type: 'floats' | 'ints'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] };

/** Numbers in row-major order; those of 4 bits and booleans one to a byte. */
export interface OnnxTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: OnnxArray;
}

export type OnnxArray = InstanceType<(typeof ARRAYS)[ElementType]>;

/** The element types that are read and written, with the arrays that hold them. */
export const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int4: Int8Array,
  uint4: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

export type ElementType = keyof typeof ARRAYS;

/** A tensor of numbers; integers of 64 bits may also be given as such. */
export function onnxTensor(
  type: ElementType,
  shape: readonly number[],
  values: ArrayLike<number> | BigInt64Array<ArrayBuffer>,
): OnnxTensor {
  if (values instanceof BigInt64Array) return { type, shape, data: values };
  if (type === 'int64') return { type, shape, data: BigInt64Array.from(values, BigInt) };
  if (type === 'uint64') return { type, shape, data: BigUint64Array.from(values, BigInt) };
  return { type, shape, data: ARRAYS[type].from(values) };
}

/** A tensor's elements as numbers; 64-bit ones beyond 2^53 are rounded. */
export function numbersOf({ data }: OnnxTensor): Exclude<OnnxArray, BigInt64Array | BigUint64Array> {
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? Float64Array.from(data, Number) : data;
}
