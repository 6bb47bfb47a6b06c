import { DataError } from '../../../tensor/errors.js';
import { sizeOf } from '../../../tensor/shape.js';
import { littleEndian } from '../littleEndian.js';
import { ARRAYS, type ElementType, type OnnxArray, type OnnxTensor } from './model.js';
import { create, DataLocation, DataType, type TensorProto, TensorProtoSchema } from './protobuf.js';

/** ONNX's numbers for the element types. */
export const TYPE_CODES = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  int4: DataType.INT4,
  uint4: DataType.UINT4,
  int8: DataType.INT8,
  uint8: DataType.UINT8,
  int16: DataType.INT16,
  uint16: DataType.UINT16,
  int32: DataType.INT32,
  uint32: DataType.UINT32,
  int64: DataType.INT64,
  uint64: DataType.UINT64,
  bool: DataType.BOOL,
} as const satisfies Record<ElementType, DataType>;

/** The element type with one of ONNX's numbers; null if it is not read here. */
export function elementType(code: number): ElementType | null {
  const entry = Object.entries(TYPE_CODES).find(([, value]) => value === code);
  return entry === undefined ? null : (entry[0] as ElementType);
}

const isHalfByte = (type: ElementType) => type === 'int4' || type === 'uint4';

/** A tensor as ONNX has it, its numbers as raw little-endian bytes. */
export function tensorProto(name: string, { type, shape, data }: OnnxTensor): TensorProto {
  if (sizeOf(shape) !== data.length) throw new DataError('onnx', `${name} has ${data.length} numbers for its shape`);
  const dims = shape.map(BigInt);
  return create(TensorProtoSchema, { name, dims, dataType: TYPE_CODES[type], rawData: rawBytes(type, data) });
}

function rawBytes(type: ElementType, data: OnnxArray): Uint8Array<ArrayBuffer> {
  if (!isHalfByte(type)) {
    return littleEndian(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), data.BYTES_PER_ELEMENT);
  }
  const packed = new Uint8Array(Math.ceil(data.length / 2));
  for (let i = 0; i < data.length; i++) packed[i >> 1] |= (Number(data[i]) & 15) << (4 * (i % 2));
  return packed;
}

/**
 * The numbers of a tensor.
 * @param file for errors
 * @throws DataError if they lie in another file, are of a type that is not read, or do not fill the shape
 */
export function tensorOf(proto: TensorProto, file: string): OnnxTensor {
  const { name, dims, dataType, rawData, dataLocation, segment } = proto;
  const fail = (problem: string): never => {
    throw new DataError('onnx', `${file}: the tensor ${name.slice(0, 80) || '(without a name)'} ${problem}`);
  };
  const type = elementType(dataType) ?? fail(`holds ${DataType[dataType] ?? `type ${dataType}`}, which is not read`);
  if (dataLocation === DataLocation.EXTERNAL) fail('keeps its numbers in another file; save the model with them in it');
  if (segment !== undefined) fail('is a segment of one');
  if (dims.some((extent) => extent < 0n || extent > 2n ** 31n)) fail(`has the shape [${dims.slice(0, 8).join(', ')}]`);
  const shape = dims.map(Number);
  const size = sizeOf(shape);
  const data = rawData.length > 0 ? fromRaw(type, rawData, size) : fromFields(type, proto, size);
  return data === null ? fail(`does not hold the ${size} numbers of its shape`) : { type, shape, data };
}

/** Elements of raw bytes; null if there are more or fewer. */
function fromRaw(type: ElementType, bytes: Uint8Array, size: number): OnnxArray | null {
  const Elements = ARRAYS[type];
  if (!isHalfByte(type)) {
    if (bytes.length !== size * Elements.BYTES_PER_ELEMENT) return null;
    return new Elements(littleEndian(bytes, Elements.BYTES_PER_ELEMENT).buffer);
  }
  if (bytes.length !== Math.ceil(size / 2)) return null;
  const data = new ARRAYS[type as 'int4' | 'uint4'](size);
  for (let i = 0; i < size; i++) {
    const nibble = (bytes[i >> 1] >> (4 * (i % 2))) & 15;
    data[i] = type === 'int4' ? (nibble ^ 8) - 8 : nibble;
  }
  return data;
}

/** Elements of the fields of numbers, where the type says which; null if there are more or fewer. */
function fromFields(type: ElementType, proto: TensorProto, size: number): OnnxArray | null {
  const { floatData, doubleData, int32Data, int64Data, uint64Data } = proto;
  if (type === 'int64') return int64Data.length === size ? BigInt64Array.from(int64Data) : null;
  if (type === 'uint64') return uint64Data.length === size ? BigUint64Array.from(uint64Data) : null;
  if (isHalfByte(type)) return fromRaw(type, Uint8Array.from(int32Data), size);
  const wide = { float32: floatData, float64: doubleData, uint32: uint64Data } as const;
  const values = type in wide ? wide[type as keyof typeof wide] : int32Data;
  return values.length === size ? ARRAYS[type as 'float32'].from(values as number[], Number) : null;
}
