import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import {
  CHUNK,
  CHUNK_BYTES,
  DEPTH,
  FILTER_BYTES,
  LINES_BYTES,
  PANEL_BYTES,
  ROWS,
  TILE_BLOCK,
  TRANSFORM_LINE,
  WEIGHT_BYTES,
} from './assembly/blocking.js';
import type { WinogradChoice } from './choices.js';
import { cacheLines, type Job, type Machine, type PlanOf } from './machine.js';
import type { Operand } from './operand.js';
import { RATE, spread } from './plan.js';

export type WinogradTile = Exclude<WinogradChoice, 'off'>;

/** Tiles of a block: their patches stay in the second-level cache. */
const BLOCK = 32;
/** So few tiles are one block, whose halves are split among threads: patches by channels, products by panels. */
const FEW_TILES = 64;
/** Tiles of a block of a segment of the weight gradient. */
const GRADIENT_BLOCK = 64;
/** Segments of tiles: more would be more sums to add up. */
const MOST_SEGMENTS = 8;

/**
 * How a weight gradient goes about it: transforms of all tiles, then products of panels of output channels (many
 * weights) or of frequencies; or segments of tiles, each thread transforming and multiplying its own (many tiles).
 */
export type GradientWay = 'panels' | 'frequencies' | 'segments';

/** Byte strides of a weight gradient's transforms and sums. */
export function gradientStrides(channels: number, rows: number) {
  const sumRow = Math.ceil(channels / 8) * 32;
  return {
    patchTile: spread(cacheLines(Math.ceil(channels / 8) * 32)),
    gradientTile: spread(cacheLines(Math.ceil(rows / ROWS) * PANEL_BYTES)),
    sumRow,
    sumStep: Math.ceil(rows / ROWS) * ROWS * sumRow + 64,
  };
}

/** A contiguous tensor as `Picture` in assembly/tiling.ts, zeros of `padding` (negative crops) before it. */
function picture(machine: Machine, { address, shape }: Operand, padding: readonly [number, number]): number {
  const [, channels, height, width] = shape;
  const row = width * 4;
  const channel = height * row;
  const [top, left] = padding;
  return machine.plan('Picture', {
    address,
    image: channels * channel,
    channel,
    row,
    channels,
    height,
    width,
    top,
    left,
  });
}

/** How many tiles cover images of `view`'s extents. */
function cut({ shape }: { readonly shape: Shape }, edge: number): { across: number; down: number; tiles: number } {
  const across = Math.ceil(shape[3] / edge);
  const down = Math.ceil(shape[2] / edge);
  return { across, down, tiles: shape[0] * across * down };
}

const EMPTY: PlanOf<'Tiling'> = {
  ...{ scales: 0, edge: 0, across: 0, down: 0, tiles: 0, block: 0, input: 0, output: 0, filters: 0 },
  ...{ weights: 0, weightRow: 0, weightChannel: 0, weightDown: 0, weightAcross: 0 },
  ...{ patches: 0, patchStep: 0, patchTile: 0, gradients: 0, gradientStep: 0, gradientTile: 0 },
  ...{ segment: 0, sums: 0, sumStep: 0, sumRow: 0 },
};

/** Weights as a pass of convolution reads them: address and byte strides of output, input, row and column. */
export interface TileFilters {
  readonly address: number;
  readonly strides: readonly [number, number, number, number];
}

/**
 * `out = x * filters`, zeros of `padding` (negative crops) before x, which is contiguous. Where x and filters are pairs
 * of integers, `scales` is the address of each output channel's.
 */
export function winograd(
  machine: Machine,
  tile: WinogradTile,
  x: Operand,
  filters: TileFilters,
  padding: readonly [number, number],
  out: View,
  scales = 0,
): void {
  const edge = tile === 'f4' ? 4 : 2;
  const channels = x.shape[1];
  const rows = out.shape[1];
  const { across, down, tiles } = cut(out, edge);
  const frequencies = (edge + 2) ** 2;
  const panels = Math.ceil(rows / ROWS);
  const few = tiles <= FEW_TILES;
  const block = few ? Math.ceil(tiles / 8) * 8 : BLOCK;
  const blocks = Math.ceil(tiles / block);
  const patchStep = block * channels * 4 + 64;
  const patchBytes = frequencies * patchStep;
  const filterBytes = frequencies * panels * channels * PANEL_BYTES;
  const columns = TILE_BLOCK * 4 + (edge + 3) * TRANSFORM_LINE;
  const results = LINES_BYTES + TILE_BLOCK * 12;
  const products = frequencies * (ROWS * block * 4 + 16);
  const [weightRow, weightChannel, weightDown, weightAcross] = filters.strides;
  machine.borrow(few ? patchBytes : filterBytes, (buffer) => {
    const words = machine.plan('Tiling', {
      ...EMPTY,
      ...{ scales, edge, across, down, tiles, block, filters: buffer, patches: buffer, patchStep },
      ...{ weights: filters.address, weightRow, weightChannel, weightDown, weightAcross },
      input: picture(machine, x, padding),
      output: picture(machine, machine.operand(out), [0, 0]),
    });
    const work = (frequencies * channels * rows * block * blocks) / RATE;
    const transforming = channels * ROWS * 25;
    const job = (units: number, scratch: (units: number) => number): Job => ({
      ...{ units, pieces: 4, cost: work / units, scratch },
    });
    if (few) {
      const part = frequencies * (DEPTH * PANEL_BYTES + 64) + FILTER_BYTES;
      machine.run('winogradPatches', { units: channels, pieces: 4, cost: tiles * 25, scratch: () => columns }, words);
      machine.run(
        'winogradProducts',
        job(panels, (units) => results + part + units * products),
        words,
      );
    } else {
      const filtering = { units: panels, pieces: 4, cost: transforming, scratch: () => FILTER_BYTES };
      machine.run('winogradFilters', filtering, words);
      machine.run(
        'winograd',
        job(blocks, () => patchBytes + Math.max(columns, results + products)),
        words,
      );
    }
  });
}

/** Gradient `out [O, C, 3, 3]` of a convolution to its weights. */
export function winogradWeightGradient(
  machine: Machine,
  way: GradientWay,
  g: View,
  x: View,
  padding: readonly [number, number],
  out: View,
): void {
  const channels = x.shape[1];
  const rows = g.shape[1];
  const { across, down, tiles } = cut(g, 4);
  const strides = gradientStrides(channels, rows);
  const block = way === 'segments' ? GRADIENT_BLOCK : tiles;
  // Segments are whole blocks, except for the last.
  const segment = way === 'segments' ? Math.ceil(tiles / MOST_SEGMENTS / block) * block : tiles;
  const segments = Math.ceil(tiles / segment);
  const patchStep = block * strides.patchTile + 64;
  const gradientStep = block * strides.gradientTile + 64;
  const transformed = 36 * (patchStep + gradientStep);
  const sums = segments * 36 * strides.sumStep;
  const work = (36 * rows * channels * tiles) / RATE;
  machine.dense([x, g], (address, gradient) =>
    machine.borrow((way === 'segments' ? 0 : transformed) + (way === 'panels' ? 0 : sums), (buffer) => {
      const words = machine.plan('Tiling', {
        ...EMPTY,
        ...{ edge: 4, across, down, tiles, block, segment, patchStep, gradientStep, ...strides },
        ...{ patches: buffer, gradients: buffer + 36 * patchStep },
        sums: buffer + (way === 'segments' ? 0 : transformed),
        input: picture(machine, { ...x, address }, padding),
        output: picture(machine, { ...g, address: gradient }, [0, 0]),
      });
      const result = machine.address(out);
      if (way === 'segments') {
        const job = { units: segments, pieces: 4, cost: work / segments, scratch: () => CHUNK_BYTES + transformed };
        machine.run('winogradSegments', job, words);
      } else {
        const units = 2 * Math.ceil(tiles / CHUNK);
        const cost = (channels + rows) * CHUNK * 12;
        machine.run('winogradTransforms', { units, pieces: 4, cost, scratch: () => CHUNK_BYTES }, words);
      }
      if (way === 'panels') {
        const panels = Math.ceil(rows / ROWS);
        const scratch = WEIGHT_BYTES + 36 * (ROWS * DEPTH * 4 + 64);
        const job = { units: panels, pieces: 4, cost: work / panels, scratch: () => scratch };
        machine.run('winogradGradient', job, words, result);
        return;
      }
      if (way === 'frequencies') machine.run('winogradFrequencies', { units: 36, pieces: 4, cost: work / 36 }, words);
      const collecting = { units: rows, pieces: 4, cost: channels * 20, scratch: () => WEIGHT_BYTES };
      machine.run('winogradWeights', collecting, words, result);
    }),
  );
}
