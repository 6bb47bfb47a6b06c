import { formatShape } from './errors.js';
import { type Shape, sizeOf } from './shape.js';
import type { DType, TypedArray } from './storage.js';
import type { View } from './view.js';

/** Tensors above this size are summarised: of each long axis only so many elements of either end are shown. */
const LARGEST = 1000;
const EDGE = 3;
/** Most digits behind the point, and the width of a line, as in NumPy. */
const DIGITS = 8;
const COLUMNS = 75;

/** Numbers of one look, alike: as many digits as the longest needs, one width. */
interface Style {
  readonly text: (value: number) => string;
  readonly width: number;
}

/**
 * The numbers of a view as NumPy prints them, nested, aligned and summarised where there are many, and what it is.
 * @param block the whole memory of the view's storage
 */
export function printed(view: View, block: TypedArray): string {
  const { shape, strides, offset, storage } = view;
  const summarised = sizeOf(shape) > LARGEST;
  const style = styleOf(storage.dtype, [...shown(shape, strides, offset, summarised, block)]);
  const numbers = sizeOf(shape) === 0 ? '[]' : nested(view, 0, offset, 'tensor('.length, summarised, block, style);
  return `tensor(${numbers}, ${storage.dtype} ${formatShape(shape)} on ${storage.device.name})`;
}

/** Positions along an axis that are shown; null stands for those left out. */
function* places(extent: number, summarised: boolean): Generator<number | null> {
  const long = summarised && extent > 2 * EDGE;
  for (let i = 0; i < extent; i++) {
    if (long && i === EDGE) {
      yield null;
      i = extent - EDGE;
    }
    yield i;
  }
}

function* shown(
  [extent, ...inner]: Shape,
  [stride, ...rest]: readonly number[],
  at: number,
  summarised: boolean,
  block: TypedArray,
): Generator<number> {
  if (extent === undefined) {
    yield block[at];
    return;
  }
  for (const i of places(extent, summarised)) {
    if (i !== null) yield* shown(inner, rest, at + i * stride, summarised, block);
  }
}

/** An axis in brackets, `indent` columns from the left. */
function nested(
  view: View,
  axis: number,
  at: number,
  indent: number,
  summarised: boolean,
  block: TypedArray,
  style: Style,
): string {
  const { shape, strides } = view;
  if (axis === shape.length) return style.text(block[at]).trim();
  const items = Array.from(places(shape[axis], summarised), (i) => {
    if (i === null) return '...';
    const from = at + i * strides[axis];
    if (axis === shape.length - 1) return style.text(block[from]).padStart(style.width);
    return nested(view, axis + 1, from, indent + 1, summarised, block, style);
  });
  const inside = ' '.repeat(indent + 1);
  if (axis === shape.length - 1) return `[${wrapped(items, inside)}]`;
  return `[${items.join(`,${'\n'.repeat(shape.length - 1 - axis)}${inside}`)}]`;
}

/** Items with commas, in lines of at most 75 columns. */
function wrapped(items: readonly string[], indent: string): string {
  let text = '';
  let column = indent.length;
  for (const [i, item] of items.entries()) {
    const next = i === 0 ? item : `, ${item}`;
    if (i > 0 && column + next.length > COLUMNS) {
      text += `,\n${indent}${item}`;
      column = indent.length + item.length;
    } else {
      text += next;
      column += next.length;
    }
  }
  return text;
}

/** Integers as they are; floats by their shortest decimals, with exponents where sizes differ too much. */
function styleOf(dtype: DType, values: readonly number[]): Style {
  const text = dtype === 'int32' ? String : floatText(dtype, values.filter(Number.isFinite));
  const width = values.reduce((most, value) => Math.max(most, text(value).length), 0);
  return { text, width };
}

function floatText(dtype: DType, values: readonly number[]): (value: number) => string {
  const sizes = values.map(Math.abs).filter((size) => size > 0);
  const [least, most] = sizes.reduce(([low, high], size) => [Math.min(low, size), Math.max(high, size)], [Infinity, 0]);
  const exponents = most >= 1e8 || least < 1e-4 || most / least > 1e6;
  const plain = (value: number) => trimmed(shortest(dtype, value).toFixed(DIGITS));
  const digits = values.reduce((longest, value) => Math.max(longest, plain(value).split('.')[1].length), 0);
  return (value) => {
    if (Number.isNaN(value)) return 'nan';
    if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
    if (exponents) return shortest(dtype, value).toExponential();
    const short = plain(value);
    return short + ' '.repeat(digits - short.split('.')[1].length);
  };
}

/** The number of fewest digits that is stored as `value`. */
function shortest(dtype: DType, value: number): number {
  for (let digits = 1; dtype === 'float32' && digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

/** Without the zeros at the end, but with the point: `1.`, `0.5`. */
function trimmed(text: string): string {
  return text.replace(/0+$/, '');
}
