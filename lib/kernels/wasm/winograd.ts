import type { View } from '../../tensor/view.js';
import type { ConvGeometry } from '../backend.js';
import { PANEL_BYTES, QUAD_BYTES, ROWS, TILE_BYTES, TRANSFORM_BYTES } from './assembly/blocking.js';
import type { Machine } from './machine.js';
import { imageTensor, kernelTaps, layOut, planWords } from './plan.js';

/**
 * Minimal filtering for 3 × 3 convolutions with stride 1: `f2` needs 2.25 times fewer multiplications and is as accurate as
 * direct convolution; `f4` needs 4 times fewer and errs by about 1e-5 of the output's root mean square.
 */
export type WinogradChoice = 'off' | 'f2' | 'f4';

/** Fields of a tiling, in the order of `Tiling` in assembly/winograd.ts, which says what each is. */
const FIELDS = [
  ...(['edge', 'across', 'down', 'tiles', 'block'] as const),
  ...(['padded', 'imageBytes', 'channelBytes', 'rowBytes', 'channels', 'filters', 'rows'] as const),
  ...(['out', 'outImage', 'outChannel', 'outRow', 'outHeight', 'outWidth'] as const),
  ...(['first', 'patches', 'gradients', 'sums', 'reduced', 'table'] as const),
  ...(['paddedGradient', 'gradientImage', 'gradientChannel', 'gradientRow'] as const),
] as const;

type Tiling = Record<(typeof FIELDS)[number], number>;

/** Tiles of a block: their patches and products together stay in the second-level cache. */
const BLOCK = 32;
/** Tiles of a block of the weight gradient: more would leave the second-level cache, fewer make the sums' traffic large. */
const GRADIENT_BLOCK = 128;
/** Fewest channels on either side for which transforms pay. */
const FEWEST_CHANNELS = 8;
/** Least saving of multiplications, after tiles that stick out of the image. */
const LEAST_SAVING = 1.4;
/** Most bytes of unreduced sums of a weight gradient. */
const MOST_SUMS = 1 << 25;
/** Estimated multiply-adds a nanosecond. */
const RATE = 17;

/** Whether a convolution of this kind gains by tiles of this edge. */
export function suitsWinograd(
  choice: WinogradChoice,
  {
    kernel,
    outHeight,
    outWidth,
    channels,
    rows,
  }: {
    kernel: readonly number[];
    outHeight: number;
    outWidth: number;
    channels: number;
    rows: number;
  },
  { stride, dilation, groups }: ConvGeometry,
): boolean {
  if (choice === 'off' || groups !== 1 || kernel[0] !== 3 || kernel[1] !== 3) return false;
  if (stride[0] * stride[1] !== 1 || dilation[0] * dilation[1] !== 1) return false;
  if (Math.min(channels, rows) < FEWEST_CHANNELS) return false;
  const edge = choice === 'f4' ? 4 : 2;
  const covered = Math.ceil(outHeight / edge) * Math.ceil(outWidth / edge) * edge * edge;
  return ((choice === 'f4' ? 4 : 2.25) * outHeight * outWidth) / covered >= LEAST_SAVING;
}

/** Whether the weight gradient of such a convolution gains, which has no `f2` form. */
export function suitsWinogradGradient(choice: WinogradChoice, channels: number, rows: number, pixels: number): boolean {
  const sums = 36 * Math.ceil(rows / ROWS) * Math.ceil(channels / 2) * TILE_BYTES;
  return choice === 'f4' && sums <= MOST_SUMS && pixels >= 2048;
}

/** A padded image laid out for tiles. */
interface Padded {
  readonly imageBytes: number;
  readonly channelBytes: number;
  readonly rowBytes: number;
  readonly bytes: number;
  /** Writes the copies of all images. */
  write(to: number): void;
}

/** Padded copies of `view`, zero around it, wide enough for whole tiles of `[height, width]` outputs and their overlap. */
function padded(
  machine: Machine,
  view: View,
  [top, left]: readonly [number, number],
  [height, width]: readonly [number, number],
  overlap: number,
): Padded {
  const source = imageTensor(machine.address(view), view, 1);
  const taps = kernelTaps({ shape: [1, 1, overlap + 1, overlap + 1], strides: [0, 0, 0, 0] }, UNIT);
  const out = { ...source, height, width };
  const { plan } = layOut({ source, out, taps, top, left, rowStep: 1, step: 1 });
  const rows = height + overlap;
  const imageBytes = plan.channelBytes * source.channels;
  return {
    imageBytes,
    channelBytes: plan.channelBytes,
    rowBytes: plan.phaseWidth * 4,
    bytes: imageBytes * source.images,
    write(to) {
      const job = { units: source.images * source.channels, pieces: 4, cost: rows * plan.phaseWidth * 0.5 };
      machine.run('padImages', job, machine.words(planWords(plan)), rows, imageBytes, to);
    },
  };
}

const UNIT: ConvGeometry = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };

/** Weights as a pass of convolution reads them: address and byte strides of output, input, row and column. */
export interface TileFilters {
  readonly address: number;
  readonly strides: readonly [number, number, number, number];
}

/** `out = x * filters`, zeros of `padding` (negative crops) before x. */
export function winograd(
  machine: Machine,
  choice: WinogradChoice,
  x: View,
  filters: TileFilters,
  padding: readonly [number, number],
  out: View,
): void {
  const edge = choice === 'f4' ? 4 : 2;
  const [images, channels] = x.shape;
  const [, rows, outHeight, outWidth] = out.shape;
  const across = Math.ceil(outWidth / edge);
  const down = Math.ceil(outHeight / edge);
  const tiles = images * across * down;
  const frequencies = (edge + 2) ** 2;
  const panels = Math.ceil(rows / ROWS);
  const image = padded(machine, x, padding, [down * edge, across * edge], 2);
  const filterBytes = frequencies * panels * channels * PANEL_BYTES;
  machine.borrow(image.bytes + filterBytes, (buffer) => {
    image.write(buffer);
    const target = buffer + image.bytes;
    const [row, channel, vertical, horizontal] = filters.strides;
    machine.run(
      'winogradFilters',
      { units: panels, cost: channels * 200, scratch: () => 2048 },
      ...([filters.address, row, channel, vertical, horizontal, rows, channels, edge, target] as const),
    );
    const share = Math.ceil(tiles / machine.threads / 8) * 8;
    const block = Math.min(BLOCK, share);
    const tiling: Tiling = {
      ...EMPTY,
      ...{ edge, across, down, tiles, block, padded: buffer, channels, filters: target, rows },
      ...{ imageBytes: image.imageBytes, channelBytes: image.channelBytes, rowBytes: image.rowBytes },
      ...{ out: machine.address(out), outImage: out.strides[0] * 4, outChannel: out.strides[1] * 4 },
      ...{ outRow: out.strides[2] * 4, outHeight, outWidth },
    };
    const perTile = frequencies * (channels + panels * ROWS) * 4 + 16;
    const units = Math.ceil(tiles / block);
    const job = {
      units,
      pieces: 4,
      cost: (frequencies * channels * rows * block) / RATE,
      scratch: () => TRANSFORM_BYTES + block * perTile + frequencies * 128,
    };
    machine.run('winograd', job, machine.words(FIELDS.map((field) => tiling[field])));
  });
}

const EMPTY = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Tiling;

/** Gradient `out [O, C, 3, 3]` of a convolution to its weights. */
export function winogradWeightGradient(
  machine: Machine,
  g: View,
  x: View,
  padding: readonly [number, number],
  out: View,
): void {
  const [images, channels] = x.shape;
  const [, rows, outHeight, outWidth] = g.shape;
  const across = Math.ceil(outWidth / 4);
  const down = Math.ceil(outHeight / 4);
  const tiles = images * across * down;
  const panels = Math.ceil(rows / ROWS);
  const block = Math.min(GRADIENT_BLOCK, Math.ceil(tiles / 4) * 4);
  const blocks = Math.ceil(tiles / block);
  const extents = [down * 4, across * 4] as const;
  const image = padded(machine, x, padding, extents, 2);
  const gradient = padded(machine, g, [0, 0], extents, 0);
  const sizes = [
    image.bytes,
    gradient.bytes,
    36 * (channels * block * 4 + 64),
    36 * (panels * block * (QUAD_BYTES / 4) + 64),
    36 * panels * Math.ceil(channels / 2) * TILE_BYTES,
    36 * rows * Math.ceil(channels / 4) * 16,
    blocks * block * 8,
  ];
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  machine.borrow(total, (buffer) => {
    const places = sizes.map((_, i) => buffer + sizes.slice(0, i).reduce((sum, bytes) => sum + bytes, 0));
    image.write(places[0]);
    gradient.write(places[1]);
    const tiling: Tiling = {
      ...EMPTY,
      ...{ edge: 4, across, down, tiles, block, channels, rows },
      ...{ padded: places[0], imageBytes: image.imageBytes },
      ...{ channelBytes: image.channelBytes, rowBytes: image.rowBytes },
      ...{ paddedGradient: places[1], gradientImage: gradient.imageBytes },
      ...{ gradientChannel: gradient.channelBytes, gradientRow: gradient.rowBytes },
      ...{ patches: places[2], gradients: places[3], sums: places[4], reduced: places[5], table: places[6] },
    };
    const words = (first: number) => machine.words(FIELDS.map((field) => (field === 'first' ? first : tiling[field])));
    machine.runOnce('winogradTable', words(0), blocks * block);
    for (let first = 0; first < tiles; first += block) {
      const transforms = {
        units: channels + panels * ROWS,
        pieces: 4,
        cost: block * 25,
        scratch: () => TRANSFORM_BYTES,
      };
      machine.run('winogradTransforms', transforms, words(first));
      const cost = (rows * channels * block) / RATE;
      machine.run('winogradSums', { units: 36, pieces: 3, cost, scratch: () => TILE_BYTES + 1024 }, words(first));
    }
    const job = { units: rows, cost: channels * 100, scratch: () => 2048 };
    machine.run('winogradWeights', job, words(0), machine.address(out));
  });
}
