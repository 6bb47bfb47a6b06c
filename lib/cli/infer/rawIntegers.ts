import { littleEndian } from '../../deploy/exchange/littleEndian.js';

/** Integer types, the smallest first; of two of one size the one without a sign. */
const TYPES = [
  ['uint8', Uint8Array, 0, 2 ** 8 - 1],
  ['int8', Int8Array, -(2 ** 7), 2 ** 7 - 1],
  ['uint16', Uint16Array, 0, 2 ** 16 - 1],
  ['int16', Int16Array, -(2 ** 15), 2 ** 15 - 1],
  ['int32', Int32Array, -(2 ** 31), 2 ** 31 - 1],
] as const;

/** Integers as bytes, little-endian and in their order, of the smallest type that holds them all. */
export function rawIntegers(values: Int32Array): { readonly type: string; readonly bytes: Uint8Array } {
  let low = 0;
  let high = 0;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const [type, IntegerArray] = TYPES.find(([, , least, most]) => low >= least && high <= most) ?? TYPES[4];
  const array = IntegerArray.from(values);
  return { type, bytes: littleEndian(new Uint8Array(array.buffer), array.BYTES_PER_ELEMENT) };
}
