import type { TypedArray } from '../../tensor/storage.js';
import type { View } from '../../tensor/view.js';
import type { Content } from './content.js';
import type { Machine } from './machine.js';
import { map, type Operand, operand } from './map.js';

/**
 * int32 in kernels that know float32 only: a number is `low + 65536·high`, with 0 ≤ low < 65536 and −32768 ≤ high <
 * 32768, all low halves first, then all high ones. Moving numbers is then moving twice as many, and arithmetic on
 * halves is exact.
 */

const BASE = 65536;

/** Host integers as halves. */
export function split(data: TypedArray): Float32Array {
  const halves = new Float32Array(2 * data.length);
  for (let i = 0; i < data.length; i++) {
    halves[i] = data[i] & (BASE - 1);
    halves[data.length + i] = data[i] >> 16;
  }
  return halves;
}

/** Halves as host integers. */
export function join(halves: Float32Array): Int32Array {
  const length = halves.length / 2;
  const data = new Int32Array(length);
  for (let i = 0; i < length; i++) data[i] = halves[i] + BASE * halves[length + i];
  return data;
}

/** The numbers of a view as kernels see them: both halves as a leading axis of extent 2 where it is int32. */
export function numbers(view: View): View {
  if (view.storage.dtype !== 'int32') return view;
  const { storage, shape, strides, offset } = view;
  return { storage, shape: [2, ...shape], strides: [storage.length, ...strides], offset };
}

/** The low and the high halves of a view, each read along `[2, ...shape]` the same in both halves of the result. */
export function halves(machine: Machine, view: View): [Operand, Operand] {
  const low = operand(machine, { ...view, strides: [0, ...view.strides] });
  return [low, { ...low, offset: low.offset + view.storage.length }];
}

/** Statements that return the half of `low + 65536·high` this thread is for, of `length` numbers, modulo 2³². */
export function settled(length: number): string {
  return `const carry = Math.floor(low / ${BASE});
let y = low - carry * ${BASE};
if (i >= ${length}) {
const sum = high + carry;
y = sum - Math.floor((sum + ${BASE / 2}) / ${BASE}) * ${BASE};
}
return y;`;
}

/** Brings halves that have grown out of their ranges (but are below 2²⁴) back into them. Takes the content over. */
export function settle(machine: Machine, content: Content): Content {
  const length = content.length / 2;
  const low = { content, strides: [0, 1], offset: 0 };
  const body = ([l, h]: readonly string[]) => `const low = ${l};\nconst high = ${h};\n${settled(length)}`;
  const result = map(machine, [2, length], [low, { ...low, offset: length }], body);
  content.release();
  return result;
}

/**
 * Statements that add the product of two numbers, given by their halves, to `low` and `high`; at most 2¹⁸ to either.
 */
export function addProduct([al, ah]: readonly string[], [bl, bh]: readonly string[]): string {
  const modulo = (value: string, base: number) => `${value} - Math.floor(${value} / ${base}) * ${base}`;
  // Bytes of the left factor keep every product below 2²⁴.
  return `const byte1 = Math.floor(${al} / 256);
const byte0 = ${al} - byte1 * 256;
const p = byte0 * ${bl};
const q = byte1 * ${bl};
const pHigh = Math.floor(p / ${BASE});
const qHigh = Math.floor(q / 256);
const cross0 = byte0 * ${bh};
const cross1 = byte1 * ${bh};
const other1 = Math.floor(${bl} / 256);
const other0 = ${bl} - other1 * 256;
const cross2 = other0 * ${ah};
const cross3 = other1 * ${ah};
low = low + (p - pHigh * ${BASE}) + (q - qHigh * 256) * 256;
high = high + pHigh + qHigh + (${modulo('cross0', BASE)}) + (${modulo('cross1', 256)}) * 256;
high = high + (${modulo('cross2', BASE)}) + (${modulo('cross3', 256)}) * 256;
`;
}

/** Statements that bring `low` and `high` back into range. */
export const REDUCE = `const carried = Math.floor(low / ${BASE});
low = low - carried * ${BASE};
high = high + carried;
high = high - Math.floor((high + ${BASE / 2}) / ${BASE}) * ${BASE};
`;
