import type { NumberArray } from './array.js';
import { unary } from './elementwise.js';

interface Grid {
  readonly low: number;
  readonly high: number;
  readonly relu?: boolean;
}

/** max(x, 0) where the grid asks for it. */
function rectified(x: NumberArray, { relu }: Grid): NumberArray {
  return relu ? unary('relu', x) : x;
}

/** `x/s`, rounded and clipped; `onGrid` is x/s as the library's dtype holds it, so that both round the same number. */
function quantized(onGrid: NumberArray, { low, high }: Grid): { rounded: number[]; clipped: number[] } {
  const rounded = [...unary('roundHalfEven', onGrid).data];
  const clipped = rounded.map((q) => {
    if (q < low) return low;
    return q > high ? high : q;
  });
  return { rounded, clipped };
}

function divided(x: NumberArray, scale: number, store: (value: number) => number): NumberArray {
  return { shape: x.shape, data: x.data.map((value) => store(value / scale)) };
}

/** `store` is the rounding of the dtype under test (`Math.fround`), applied to x/s before it is rounded to the grid. */
export function fakeQuantize(x: NumberArray, scale: number, grid: Grid, store: (value: number) => number): NumberArray {
  const { clipped } = quantized(divided(rectified(x, grid), scale, store), grid);
  return { shape: x.shape, data: clipped.map((q) => q * scale) };
}

export function fakeQuantizeGrad(
  g: NumberArray,
  x: NumberArray,
  scale: number,
  grid: Grid,
  store: (value: number) => number,
): { x: NumberArray; scale: number } {
  const onGrid = divided(rectified(x, grid), scale, store);
  const { rounded, clipped } = quantized(onGrid, grid);
  const data: number[] = [];
  let toScale = 0;
  for (let i = 0; i < x.data.length; i++) {
    const isInside = rounded[i] >= grid.low && rounded[i] <= grid.high;
    data.push(isInside && (!grid.relu || x.data[i] > 0) ? g.data[i] : 0);
    toScale += g.data[i] * (isInside ? clipped[i] - onGrid.data[i] : clipped[i]);
  }
  return { x: { shape: x.shape, data }, scale: toScale };
}

/** By sorting, NaN last; the index is the first of the elements that equal the value, or are NaN as it is. */
export function kthSmallest(x: NumberArray, k: number): { value: number; index: number } {
  const numbers = [...x.data].filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const value = numbers[k - 1] ?? Number.NaN;
  return { value, index: k <= numbers.length ? x.data.indexOf(value) : x.data.findIndex(Number.isNaN) };
}
