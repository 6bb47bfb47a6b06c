import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { Content } from './content.js';
import type { Operand } from './map.js';
import { whole } from './map.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, divide, input, kernelSource } from './source.js';
import type { Tile } from './variants.js';

/** How many tiles cover `[height, width]`; those at the ends may hang over. */
export function tileCounts([height, width]: readonly number[], { rows, columns }: Tile): [number, number] {
  return [Math.ceil(height / rows), Math.ceil(width / columns)];
}

/** Results by tiles (`[…, tiles down, across, rows, columns]`) as `[…, height, width]`, cropped; takes `content`. */
export function untile(runtime: Runtime, content: Content, shape: Shape, tile: Tile): Content {
  const { rows, columns } = tile;
  const [height, width] = shape.slice(-2);
  if (rows === 1 && width % columns === 0) return content;
  const [down, across] = tileCounts([height, width], tile);
  const { code, at } = coordinates('i', [sizeOf(shape.slice(0, -2)), height, width], 'c');
  const split = (name: string, extent: number, prefix: string) =>
    extent === 1 || name === '0' ? { code: '', at: [name, '0'] } : quotient(name, extent, prefix);
  const [vertical, horizontal] = [split(at[1], rows, 'v'), split(at[2], columns, 'h')];
  const lies = whole(content, [sizeOf(shape.slice(0, -2)), down, across, rows, columns]);
  const place = [at[0], vertical.at[0], horizontal.at[0], vertical.at[1], horizontal.at[1]];
  const body = `${code}${vertical.code}${horizontal.code}return ${input(0)}[${address(lies, place)}];`;
  const result = runtime.run(kernelSource(1, 0, body), sizeOf(shape), [content]);
  content.release();
  return result;
}

function quotient(name: string, extent: number, prefix: string): { code: string; at: [string, string] } {
  const at: [string, string] = [`${prefix}Tile`, `${prefix}Within`];
  return { code: divide(name, extent, ...at), at };
}

/** An image with a frame of zeros. */
export interface Frame {
  /** Rows above and columns to the left; negative ones are cut off. */
  readonly before: readonly [number, number];
  /** Extents of the whole. */
  readonly extents: readonly [number, number];
  /** Whether channels come last in memory. */
  readonly channelsLast?: boolean;
}

/** Images `[N, C, H, W]` framed, `[N, C, height, width]`; themselves if that adds nothing. The caller releases them. */
export function framed(runtime: Runtime, from: Operand, shape: Shape, frame: Frame): Operand {
  const [images, channels, height, width] = shape;
  const { before, extents, channelsLast = false } = frame;
  const adds = before[0] !== 0 || before[1] !== 0 || extents[0] > height || extents[1] > width;
  if (!adds && !channelsLast) return { ...from, content: from.content.hold() };
  const length = images * channels * extents[0] * extents[1];
  const lies = channelsLast ? [images, ...extents, channels] : [images, channels, ...extents];
  const { code, at } = coordinates('i', lies, 'c');
  const [image, channel, y, x] = channelsLast ? [at[0], at[3], at[1], at[2]] : at;
  const inside = (position: string, start: number, extent: number, whole: number): string[] => [
    ...(start > 0 ? [`${position} >= ${start}`] : []),
    ...(start + extent < whole ? [`${position} < ${start + extent}`] : []),
  ];
  const tests = [...inside(y, before[0], height, extents[0]), ...inside(x, before[1], width, extents[1])];
  // The address of the pixel at a position in the frame, as if the frame were part of the image.
  const shifted = { ...from, offset: from.offset - before[0] * from.strides[2] - before[1] * from.strides[3] };
  const load = `${input(0)}[${address(shifted, [image, channel, y, x])}]`;
  const body =
    tests.length === 0 ? `return ${load};` : `let v = 0;\nif (${tests.join(' && ')}) { v = ${load}; }\nreturn v;`;
  const content = runtime.run(kernelSource(1, 0, `${code}${body}`), length, [from.content]);
  const [n, a, b, c] = whole(content, lies).strides;
  return { content, strides: channelsLast ? [n, c, a, b] : [n, a, b, c], offset: 0 };
}
