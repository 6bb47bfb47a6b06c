import type { TypedArray } from './storage.js';

/** How a dtype of the safetensors format becomes host memory. */
interface Decoder {
  readonly bytes: number;
  /** `count` little-endian numbers; null if int32 cannot hold them. */
  read(block: DataView, count: number): TypedArray | null;
}

function floats(bytes: number, at: (block: DataView, offset: number) => number): Decoder {
  return {
    bytes,
    read(block, count) {
      const out = new Float32Array(count);
      for (let i = 0; i < count; i++) out[i] = at(block, i * bytes);
      return out;
    },
  };
}

function integers(bytes: number, at: (block: DataView, offset: number) => number): Decoder {
  return {
    bytes,
    read(block, count) {
      const out = new Int32Array(count);
      for (let i = 0; i < count; i++) {
        const value = at(block, i * bytes);
        out[i] = value;
        if (out[i] !== value) return null;
      }
      return out;
    },
  };
}

/** IEEE 754 half precision. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 is the upper half of a float32. */
function brain(bits: number): number {
  return new Float32Array(Uint32Array.of(bits * 65536).buffer)[0];
}

export const decoders = {
  F64: {
    bytes: 8,
    read(block: DataView, count: number) {
      const out = new Float64Array(count);
      for (let i = 0; i < count; i++) out[i] = block.getFloat64(i * 8, true);
      return out;
    },
  },
  F32: floats(4, (block, offset) => block.getFloat32(offset, true)),
  F16: floats(2, (block, offset) => half(block.getUint16(offset, true))),
  BF16: floats(2, (block, offset) => brain(block.getUint16(offset, true))),
  I64: integers(8, (block, offset) => Number(block.getBigInt64(offset, true))),
  I32: integers(4, (block, offset) => block.getInt32(offset, true)),
  U32: integers(4, (block, offset) => block.getUint32(offset, true)),
  I16: integers(2, (block, offset) => block.getInt16(offset, true)),
  U16: integers(2, (block, offset) => block.getUint16(offset, true)),
  I8: integers(1, (block, offset) => block.getInt8(offset)),
  U8: integers(1, (block, offset) => block.getUint8(offset)),
  BOOL: integers(1, (block, offset) => block.getUint8(offset)),
} satisfies Record<string, Decoder>;
