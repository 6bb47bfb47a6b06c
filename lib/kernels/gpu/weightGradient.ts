import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { ConvGeometry } from '../geometry.js';
import type { Content } from './content.js';
import { map, type Operand, whole } from './map.js';
import { reduceTerms } from './reduction.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, input, kernelSource, loop, shifted, times } from './source.js';
import { framed } from './tiles.js';
import { channelIn, groupOf, inputPosition, within } from './windows.js';

/** The gradient of a convolution to its weights: sums over some images each, row by row, then over those parts. */
export interface WeightGradient {
  /** Of the weights, `[O, C/groups, kh, kw]`. */
  readonly shape: Shape;
  readonly gradientShape: Shape;
  readonly gradient: Operand;
  readonly imageShape: Shape;
  readonly image: Operand;
  readonly geometry: ConvGeometry;
}

/** Aim for this many partial weight gradients: enough threads for small kernels, little memory for large ones. */
const PARTIALS = 2 ** 19;

/** How many parts there are, and how many images each has. */
function division({ shape, imageShape: [images] }: WeightGradient): { parts: number; perPart: number } {
  const most = Math.min(images, Math.max(1, Math.floor(PARTIALS / sizeOf(shape))));
  const perPart = Math.ceil(images / most);
  return { parts: Math.ceil(images / perPart), perPart };
}

/** One tap a thread, for any geometry. */
export function plainWeightGradient(runtime: Runtime, problem: WeightGradient): Content {
  const { shape, gradientShape, gradient, imageShape, image, geometry } = problem;
  const [outputs, perGroup, kh, kw] = shape;
  const [, , oh, ow] = gradientShape;
  const [images, , height, width] = imageShape;
  const { parts, perPart } = division(problem);
  const { code, at } = coordinates('i', [parts, outputs, perGroup, kh, kw], 'c');
  const [part, output, inGroup, ky, kx] = at;
  const { code: split, group } = groupOf(output, outputs / geometry.groups, geometry.groups);
  const channel = channelIn(group, perGroup, inGroup);
  const slope = `${input(0)}[${address(gradient, ['image', output, 'oy', 'ox'])}]`;
  const pixel = `${input(1)}[${address(image, ['image', channel, 'y', 'x'])}]`;
  const product = `line = line + ${slope} * ${pixel};`;
  const inRow = `const x = ${inputPosition(geometry, 1, 'ox', kx)};\nif (${within('x', width)}) {\n${product}\n}`;
  const row = `let line = 0;\n${loop('ox', ow, inRow)}\ntotal = total + line;`;
  const inImage = `const y = ${inputPosition(geometry, 0, 'oy', ky)};\nif (${within('y', height)}) {\n${row}\n}`;
  const perImage = `let total = 0;\n${loop('oy', oh, inImage)}\ns = s + total;`;
  const source = `${code}${split}let s = 0;\n${overImages(images, perPart, part, perImage)}\nreturn s;`;
  const partial = runtime.run(kernelSource(2, 0, source), parts * sizeOf(shape), [gradient.content, image.content]);
  return gathered(runtime, partial, [parts, ...shape], whole(partial, [parts, ...shape]).strides);
}

/** Products written out along a row. */
const ACROSS = 4;

/**
 * Up to four taps of a kernel's row a thread, over a framed image in which no tap is outside; each pixel of a row is
 * loaded once for all taps that meet it. With `channelsLast`, neighbouring threads read neighbouring numbers. Null if
 * the framed image would be too large, or the order of the results too involved.
 */
export function tiledWeightGradient(
  runtime: Runtime,
  problem: WeightGradient,
  channelsLast: boolean,
): (() => Content) | null {
  const { shape, gradientShape, gradient, imageShape, image, geometry } = problem;
  const [outputs, perGroup, kh, kw] = shape;
  const [, , oh, ow] = gradientShape;
  const [images, channels, height, width] = imageShape;
  const { stride, padding, dilation, groups } = geometry;
  const tiles = Math.ceil(kw / 4);
  const taps = Math.ceil(kw / tiles);
  if (channelsLast && (tiles > 1 || perGroup === 1)) return null;
  const { parts, perPart } = division(problem);
  const extents = [
    Math.max(padding[0] + height, (oh - 1) * stride[0] + (kh - 1) * dilation[0] + 1),
    Math.max(padding[1] + width, (ow - 1) * stride[1] + (tiles * taps - 1) * dilation[1] + 1),
  ] as const;
  // Threads, outermost first, and where in that order each of the axes of the result is.
  const axes = channelsLast ? [0, 1, 3, 4, 2] : [0, 1, 2, 3, 4];
  const all = [parts, outputs, perGroup, kh, tiles];
  const lies = [...axes.map((axis) => all[axis]), taps];
  if (!runtime.fits(sizeOf(lies)) || !runtime.fits(images * channels * extents[0] * extents[1])) return null;

  return () => {
    const from = framed(runtime, image, imageShape, { before: padding, extents, channelsLast });
    const { code, at } = coordinates('i', lies.slice(0, -1), 'c');
    const [part, output, inGroup, ky, tile] = all.map((_, axis) => at[axes.indexOf(axis)]);
    const { code: split, group } = groupOf(output, outputs / groups, groups);
    const names = Array.from({ length: taps }, (_, n) => n);
    const each = (text: (n: number) => string) => names.map((n) => `${text(n)}\n`).join('');
    const firstTap = tile === '0' ? '0' : `(${times(tile, taps * dilation[1])})`;
    const row = [
      ...(stride[0] === 1 ? ['oy'] : [times('oy', stride[0])]),
      ...(ky === '0' ? [] : [times(ky, dilation[0])]),
    ].join(' + ');
    const bases = `const gRow = ${address(gradient, ['image', output, 'oy', '0'])};
const xRow = ${address(from, ['image', channelIn(group, perGroup, inGroup), `(${row})`, firstTap])};
`;
    const [gStep, xStep] = [gradient.strides[3], from.strides[3]];
    const blocks = Math.floor(ow / ACROSS);
    /** `count` products of every tap, those of block number `block`. */
    const products = (block: string, count: number, prefix: string) =>
      `const ${prefix}g = gRow + ${times(block, ACROSS * gStep)};
const ${prefix}x = xRow + ${times(block, ACROSS * stride[1] * xStep)};
${rowProducts(rowMeetings(count, taps, stride[1], dilation[1]), gStep, xStep, prefix)}`;
    const line = `${bases}${each((n) => `let line${n} = 0;`)}${loop('block', blocks, products('block', ACROSS, ''))}
${products(`${blocks}`, ow - blocks * ACROSS, 'end')}${each((n) => `total${n} = total${n} + line${n};`)}`;
    const lines = loop('oy', oh, line);
    const perImage = `${each((n) => `let total${n} = 0;`)}${lines}\n${each((n) => `s${n} = s${n} + total${n};`)}`;
    const result = taps === 1 ? 's0' : `[${names.map((n) => `s${n}`).join(', ')}]`;
    const body = `${code}${split}${each((n) => `let s${n} = 0;`)}${overImages(images, perPart, part, perImage)}
return ${result};`;
    const inputs = [gradient.content, from.content];
    const partial = runtime.run(kernelSource(2, 0, body), sizeOf(lies), inputs, [], taps);
    from.content.release();
    const steps = whole(partial, lies).strides;
    const [p, o, c, y] = [0, 1, 2, 3].map((axis) => steps[axes.indexOf(axis)]);
    // A tile's taps follow each other; several tiles only ever lie next to each other.
    return gathered(runtime, partial, [parts, ...shape], [p, o, c, y, 1]);
  };
}

interface Meeting {
  /** Of the gradient, counted from the first. */
  readonly at: number;
  readonly tap: number;
}

/** By position in the image's row: which of `count` neighbouring numbers of the gradient meet it, and at which tap. */
function rowMeetings(count: number, taps: number, stride: number, dilation: number): [number, Meeting[]][] {
  const found = new Map<number, Meeting[]>();
  for (let at = 0; at < count; at++) {
    for (let tap = 0; tap < taps; tap++) {
      const position = at * stride + tap * dilation;
      found.set(position, [...(found.get(position) ?? []), { at, tap }]);
    }
  }
  return [...found].sort(([a], [b]) => a - b);
}

/** Statements that add the products to the `line` of every tap; numbers are loaded in their order, once each. */
function rowProducts(met: readonly [number, Meeting[]][], gStep: number, xStep: number, prefix: string): string {
  const loaded = new Set<number>();
  let code = '';
  for (const [position, meetings] of met) {
    const pixel = `${prefix}x${position}`;
    code += `const ${pixel} = ${input(1)}[${shifted(`${prefix}x`, position * xStep)}];\n`;
    for (const { at, tap } of meetings) {
      const gradient = `${prefix}g${at}`;
      if (!loaded.has(at)) code += `const ${gradient} = ${input(0)}[${shifted(`${prefix}g`, at * gStep)}];\n`;
      loaded.add(at);
      code += `line${tap} = line${tap} + ${gradient} * ${pixel};\n`;
    }
  }
  return code;
}

/** Statements that run `perImage` for each `image` of a part. */
function overImages(images: number, perPart: number, part: string, perImage: string): string {
  const first = part === '0' ? '0' : times(part, perPart);
  const turn = images % perPart === 0 ? perImage : `if (image < ${images}) {\n${perImage}\n}`;
  return loop('turn', perPart, `const image = turn + ${first};\n${turn}`);
}

/** The sum over the parts, row-major, of results that lie as `strides` tell. Takes the content over. */
function gathered(runtime: Runtime, partial: Content, shape: Shape, strides: readonly number[]): Content {
  const [parts, ...rest] = shape;
  const ordered = whole(partial, shape).strides.join() === strides.join();
  if (parts === 1 && ordered) return partial;
  const operand = { content: partial, strides, offset: 0 };
  const result =
    parts === 1
      ? map(runtime, rest, [{ ...operand, strides: strides.slice(1) }], ([x]) => `return ${x};`)
      : reduceTerms(runtime, 'sum', shape, [operand], [0]);
  partial.release();
  return result;
}
