import { largest, smallest } from '../../tensor/extremes.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { ConvGeometry } from '../geometry.js';
import type { Content } from './content.js';
import type { Operand } from './map.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, input, kernelSource, loop, shifted, times } from './source.js';
import { framed, tileCounts, untile } from './tiles.js';
import type { Tile } from './variants.js';
import { channelIn, groupOf } from './windows.js';

/**
 * Convolution and its input gradient with a tile of results a thread. The image is framed with zeros first, so that no
 * tap is outside; taps are written out, and each pixel is loaded once for all results that it takes part in. Both are
 * the same walk: a result collects, channel by channel, the taps of a window over a source image.
 */
export interface Correlation {
  /** Of the source, `[N, C, H, W]`. */
  readonly sourceShape: Shape;
  readonly source: Operand;
  /** Of the result. */
  readonly shape: Shape;
  /** Read along `[group, result channel, source channel, ky, kx]`, channels within the group. */
  readonly weights: Operand;
  readonly kernel: readonly [number, number];
  readonly geometry: ConvGeometry;
  /** Result channels, and source channels, of a group. */
  readonly channels: readonly [number, number];
  /** From outputs of a convolution back to its inputs, rather than from inputs to outputs. */
  readonly backward: boolean;
}

/** Larger kernels are not written out. */
const MOST_TAPS = 49;

/** One tap of one result of a tile: where along an axis it meets the source, counted from the tile's first position. */
interface Meeting {
  readonly result: number;
  readonly tap: number;
  readonly position: number;
}

/**
 * Where `count` neighbouring results meet the source along an axis, in the order of the source (forwards, or backwards
 * in a backward walk, so that taps ascend for every result); null where that depends on the tile.
 */
function meetings({ geometry, kernel, backward }: Correlation, axis: 0 | 1, count: number): Meeting[] | null {
  const [stride, padding, dilation] = [geometry.stride[axis], geometry.padding[axis], geometry.dilation[axis]];
  if (backward && count % stride !== 0) return null;
  const found: Meeting[] = [];
  for (let result = 0; result < count; result++) {
    for (let tap = 0; tap < kernel[axis]; tap++) {
      const position = backward
        ? (result + padding - tap * dilation) / stride
        : result * stride + tap * dilation - padding;
      if (Number.isInteger(position)) found.push({ result, tap, position });
    }
  }
  return found.sort((a, b) => (backward ? b.position - a.position : a.position - b.position));
}

/** The frame that holds every position the tiles meet along an axis, and how far apart tiles' first positions are. */
function span(correlation: Correlation, axis: 0 | 1, count: number, tiles: number, found: readonly Meeting[]) {
  const stride = correlation.geometry.stride[axis];
  const advance = correlation.backward ? count / stride : count * stride;
  const positions = found.map(({ position }) => position);
  const before = Math.max(0, -smallest(positions));
  const extent = Math.max(
    before + correlation.sourceShape[2 + axis],
    before + largest(positions) + advance * (tiles - 1) + 1,
  );
  return { advance, before, extent };
}

/** The result, or null if this tile does not suit the geometry or the framed image would be too large. */
export function correlate(runtime: Runtime, correlation: Correlation, tile: Tile): (() => Content) | null {
  const { kernel, shape, sourceShape, source } = correlation;
  if (kernel[0] * kernel[1] > MOST_TAPS) return null;
  const vertical = meetings(correlation, 0, tile.rows);
  const horizontal = meetings(correlation, 1, tile.columns);
  if (!vertical?.length || !horizontal?.length) return null;
  const counts = tileCounts(shape.slice(2), tile);
  const [down, across] = [
    span(correlation, 0, tile.rows, counts[0], vertical),
    span(correlation, 1, tile.columns, counts[1], horizontal),
  ];
  const before = [down.before, across.before] as const;
  const extents = [down.extent, across.extent] as const;
  const perThread = tile.rows * tile.columns;
  const length = shape[0] * shape[1] * counts[0] * counts[1] * perThread;
  if (!runtime.fits(length) || !runtime.fits(sizeOf(sourceShape.slice(0, 2)) * extents[0] * extents[1])) return null;

  return () => {
    const from = framed(runtime, source, sourceShape, { before, extents });
    const { code, at } = coordinates('i', [shape[0], shape[1], ...counts], 'c');
    const first = [down, across].map(({ advance }, axis) =>
      at[2 + axis] === '0' ? '0' : `(${times(at[2 + axis], advance)})`,
    );
    const { channels, weights, geometry } = correlation;
    const split = groupOf(at[1], channels[0], geometry.groups);
    const channel = channelIn(split.group, channels[1], 'k');
    const corner = { ...from, offset: from.offset + before[0] * from.strides[2] + before[1] * from.strides[3] };
    const bases = `const p = ${address(corner, [at[0], channel, ...first])};
const q = ${address(weights, [split.group, split.within, 'k', '0', '0'])};
`;
    const walk = taps(vertical, horizontal, tile, from.strides, weights.strides);
    const names = Array.from({ length: perThread }, (_, n) => n);
    const start = names.map((n) => `let part${n} = 0;\n`).join('');
    const end = names.map((n) => `s${n} = s${n} + part${n};\n`).join('');
    const zeros = names.map((n) => `let s${n} = 0;\n`).join('');
    const body = `${code}${split.code}${zeros}${loop('k', channels[1], `${bases}${start}${walk}${end}`)}
return [${names.map((n) => `s${n}`).join(', ')}];`;
    const inputs = [from.content, weights.content];
    const tiled = runtime.run(kernelSource(2, 0, body), length, inputs, [], perThread);
    from.content.release();
    return untile(runtime, tiled, shape, tile);
  };
}

/** Statements that add every product to its result's `part`; pixels of a row are loaded one after the other. */
function taps(
  vertical: readonly Meeting[],
  horizontal: readonly Meeting[],
  tile: Tile,
  source: readonly number[],
  weights: readonly number[],
): string {
  const rows = [...new Set(vertical.map(({ position }) => position))];
  const columns = [...new Set(horizontal.map(({ position }) => position))];
  const loaded = new Set<string>();
  let code = '';
  for (const [y, row] of rows.entries()) {
    for (const [x, column] of columns.entries()) {
      code += `const x${y}_${x} = ${input(0)}[${shifted('p', row * source[2] + column * source[3])}];\n`;
      for (const down of vertical.filter(({ position }) => position === row)) {
        for (const across of horizontal.filter(({ position }) => position === column)) {
          const weight = `w${down.tap}_${across.tap}`;
          if (!loaded.has(weight)) {
            const offset = down.tap * weights[3] + across.tap * weights[4];
            code += `const ${weight} = ${input(1)}[${shifted('q', offset)}];\n`;
            loaded.add(weight);
          }
          const part = `part${down.result * tile.columns + across.result}`;
          code += `${part} = ${part} + x${y}_${x} * ${weight};\n`;
        }
      }
    }
  }
  return code;
}
