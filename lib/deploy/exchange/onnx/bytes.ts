import { DataError } from '../../../tensor/errors.js';
import type { OnnxBuilder } from './builder.js';
import type { Value } from './encode.js';
import type { ElementType } from './model.js';

/** A range of integers. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** The ends of the element types that QuantizeLinear makes. */
const ENDS = {
  uint4: [0, 15],
  int4: [-8, 7],
  uint8: [0, 255],
  int8: [-128, 127],
} as const satisfies Partial<Record<ElementType, readonly [number, number]>>;

type Small = keyof typeof ENDS;

/** The type of 8 bits that holds a range, unsigned where it can be; null if none does. */
export function byteType({ low, high }: Range): 'uint8' | 'int8' | null {
  const holds = (type: Small) => low >= ENDS[type][0] && high <= ENDS[type][1];
  if (holds('uint8')) return 'uint8';
  return holds('int8') ? 'int8' : null;
}

/** The type of 4 bits that is exactly a range; null if none is. */
export function halfByteType({ low, high }: Range): 'uint4' | 'int4' | null {
  const is = (type: Small) => low === ENDS[type][0] && high === ENDS[type][1];
  if (is('uint4')) return 'uint4';
  return is('int4') ? 'int4' : null;
}

/** As {@link byteType}. @throws DataError if none does; `what` begins the sentence */
export function asByte(range: Range, what: string): 'uint8' | 'int8' {
  const type = byteType(range);
  if (type !== null) return type;
  throw new DataError('export', `${what} ${range.low} … ${range.high}; the format has integers of 8 bits`);
}

/** Cuts values of a type to a range, if they can lie beyond. @param kind of the name, as of the builder's methods */
export function clipped(
  builder: OnnxBuilder,
  kind: 'node' | 'value',
  name: string,
  { make, type }: { readonly make: (kind: 'node' | 'value', name: string) => string; readonly type: Small },
  { low, high }: Range,
): Value {
  const [least, most] = ENDS[type];
  if (low === least && high === most) return { name: make(kind, name), type };
  const bound = (value: number) => builder.tensor(`${name}/bound`, type, [], [value]);
  return { name: builder[kind](name, 'Clip', [make('node', `${name}/wide`), bound(low), bound(high)]), type };
}

/** The integers of real numbers: `clip(roundHalfEven(x / scale), low, high)`. */
export function quantized(
  builder: OnnxBuilder,
  kind: 'node' | 'value',
  name: string,
  { real, scale, type }: { readonly real: string; readonly scale: number; readonly type: Small },
  range: Range,
): Value {
  const step = builder.tensor(`${name}/scale`, 'float32', [], [scale]);
  const zero = builder.tensor(`${name}/zero`, type, [], [0]);
  const make = (as: 'node' | 'value', free: string) => builder[as](free, 'QuantizeLinear', [real, step, zero]);
  return clipped(builder, kind, name, { make, type }, range);
}
