import { at, build, count, indices, type NumberArray, position } from './array.js';

type Pair = readonly [number, number];

/** A sliding window, `[vertical, horizontal]` each. */
export interface OracleWindow {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

/** A convolution's geometry; the kernel is in the shape of the weights. */
export interface OracleConvolution {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** How many places a window finds along an axis: counted, one step at a time. */
export function places(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  let n = 0;
  for (let start = -padding; start + dilation * (kernel - 1) < size + padding; start += stride) n++;
  return n;
}

function extents(window: OracleWindow, height: number, width: number): [number, number] {
  const { kernel, stride, padding, dilation } = window;
  return [
    places(height, kernel[0], stride[0], padding[0], dilation[0]),
    places(width, kernel[1], stride[1], padding[1], dilation[1]),
  ];
}

/** The pixel under tap `(ky, kx)` of the window at place `(y, x)`. */
function pixel(window: Omit<OracleWindow, 'kernel'>, y: number, x: number, ky: number, kx: number): [number, number] {
  const { stride, padding, dilation } = window;
  return [y * stride[0] - padding[0] + ky * dilation[0], x * stride[1] - padding[1] + kx * dilation[1]];
}

export function im2col(image: NumberArray, window: OracleWindow): NumberArray {
  const [n, c, height, width] = image.shape;
  const [kh, kw] = window.kernel;
  const [oh, ow] = extents(window, height, width);
  return build([n, c, kh * kw, oh * ow], ([i, channel, tap, place]) =>
    at(image, i, channel, ...pixel(window, Math.floor(place / ow), place % ow, Math.floor(tap / kw), tap % kw)),
  );
}

export function col2im(columns: NumberArray, shape: readonly number[], window: OracleWindow): NumberArray {
  const [, kw] = window.kernel;
  const [, ow] = extents(window, shape[2], shape[3]);
  const data = new Array<number>(count(shape)).fill(0);
  for (const [i, channel, tap, place] of indices(columns.shape)) {
    const [y, x] = pixel(window, Math.floor(place / ow), place % ow, Math.floor(tap / kw), tap % kw);
    if (y < 0 || x < 0 || y >= shape[2] || x >= shape[3]) continue;
    data[position(shape, [i, channel, y, x])] += at(columns, i, channel, tap, place);
  }
  return { shape: [...shape], data };
}

/** Calls `visit` for every product of a convolution: one output, one pixel inside the image, one weight. */
function eachProduct(
  x: readonly number[],
  w: readonly number[],
  geometry: OracleConvolution,
  visit: (output: number, input: number, weight: number) => void,
): readonly number[] {
  const [images, channels, height, width] = x;
  const [outputs, perGroup, kh, kw] = w;
  const [oh, ow] = extents({ ...geometry, kernel: [kh, kw] }, height, width);
  const y = [images, outputs, oh, ow];
  for (const [n, o, row, column] of indices(y)) {
    const output = position(y, [n, o, row, column]);
    const group = Math.floor(o / (outputs / geometry.groups));
    for (let c = 0; c < perGroup; c++) {
      const channel = group * (channels / geometry.groups) + c;
      for (let ky = 0; ky < kh; ky++) {
        for (let kx = 0; kx < kw; kx++) {
          const [py, px] = pixel(geometry, row, column, ky, kx);
          if (py < 0 || px < 0 || py >= height || px >= width) continue;
          visit(output, position(x, [n, channel, py, px]), position(w, [o, c, ky, kx]));
        }
      }
    }
  }
  return y;
}

export function conv2d(x: NumberArray, w: NumberArray, geometry: OracleConvolution): NumberArray {
  const sums: number[] = [];
  const shape = eachProduct(x.shape, w.shape, geometry, (output, input, weight) => {
    sums[output] = (sums[output] ?? 0) + x.data[input] * w.data[weight];
  });
  // A window that lies in the padding altogether meets no product.
  return { shape, data: Array.from({ length: count(shape) }, (_, i) => sums[i] ?? 0) };
}

export function conv2dInputGrad(
  g: NumberArray,
  w: NumberArray,
  inputShape: readonly number[],
  geometry: OracleConvolution,
): NumberArray {
  const data = new Array<number>(count(inputShape)).fill(0);
  eachProduct(inputShape, w.shape, geometry, (output, input, weight) => {
    data[input] += g.data[output] * w.data[weight];
  });
  return { shape: inputShape, data };
}

export function conv2dWeightGrad(
  g: NumberArray,
  x: NumberArray,
  weightShape: readonly number[],
  geometry: OracleConvolution,
): NumberArray {
  const data = new Array<number>(count(weightShape)).fill(0);
  eachProduct(x.shape, weightShape, geometry, (output, input, weight) => {
    data[weight] += g.data[output] * x.data[input];
  });
  return { shape: weightShape, data };
}

/** Maximum of every window and the position of its first maximum in the image, row-major. */
function maxima(x: NumberArray, window: OracleWindow): { y: NumberArray; winners: number[] } {
  const [n, c, height, width] = x.shape;
  const winners: number[] = [];
  const y = build([n, c, ...extents(window, height, width)], ([i, channel, row, column]) => {
    let best = Number.NEGATIVE_INFINITY;
    let winner = -1;
    for (const [ky, kx] of indices(window.kernel)) {
      const [py, px] = pixel(window, row, column, ky, kx);
      if (py < 0 || px < 0 || py >= height || px >= width) continue;
      const value = at(x, i, channel, py, px);
      if (winner >= 0 && !(value > best)) continue;
      best = value;
      winner = position(x.shape, [i, channel, py, px]);
    }
    winners.push(winner);
    return best;
  });
  return { y, winners };
}

export function maxPool2d(x: NumberArray, window: OracleWindow): NumberArray {
  return maxima(x, window).y;
}

export function maxPool2dGrad(g: NumberArray, x: NumberArray, window: OracleWindow): NumberArray {
  const data = new Array<number>(count(x.shape)).fill(0);
  for (const [i, winner] of maxima(x, window).winners.entries()) data[winner] += g.data[i];
  return { shape: x.shape, data };
}

export function upsampleNearest(x: NumberArray, factor: number): NumberArray {
  const [n, c, height, width] = x.shape;
  return build([n, c, height * factor, width * factor], ([i, channel, row, column]) =>
    at(x, i, channel, Math.floor(row / factor), Math.floor(column / factor)),
  );
}

export function upsampleNearestGrad(g: NumberArray, factor: number): NumberArray {
  const [n, c, height, width] = g.shape;
  return build([n, c, height / factor, width / factor], ([i, channel, row, column]) => {
    let sum = 0;
    for (const [dy, dx] of indices([factor, factor])) sum += at(g, i, channel, row * factor + dy, column * factor + dx);
    return sum;
  });
}
