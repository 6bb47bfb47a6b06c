import type { Engine } from './engine.js';

/**
 * How images of one size lie in memory: rows with zeros behind, images with rows of zeros below, one after the other,
 * so that a shift of the window is a shift of the address. Zeros on the right are also those on the left of the next
 * row.
 */
export interface Grid {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  /** From one row to the next, and from one image to the next, in pixels. */
  readonly rowStep: number;
  readonly imageStep: number;
  /** Pixels that kernels work on at once. */
  readonly block: number;
  /** Pixels of a plane: whole blocks. */
  readonly lanes: number;
  /** Pixels before the first plane that must be zeros. */
  readonly lead: number;
  /** Address of a plane of bytes, 255 where there is a pixel of an image. */
  readonly mask: number;
}

/** What the grid of a size must have room for. */
interface Needs {
  readonly rowStep: number;
  readonly rows: number;
  /** How far windows reach up and to the left of a pixel. */
  readonly up: number;
  readonly left: number;
}

/** Bytes of an integer, and whether they are signed. */
export type Width = 'int8' | 'uint8' | 'int32';

/** Where a value lies: planes `[channel][lanes]`. */
export interface Place {
  readonly shape: readonly number[];
  readonly planes: number;
  readonly grid: Grid;
  readonly width: Width;
  readonly low: number;
  readonly high: number;
  /** Of the first pixel of the first plane. */
  readonly address: number;
}

/** Channels, rows and columns of a value: what has no images is one pixel, what has one axis is a row. */
export function planesOf([, channels, ...rest]: readonly number[]): readonly [number, number, number] {
  const [height, width] = rest.length === 2 ? rest : [1, rest.reduce((product, extent) => product * extent, 1)];
  return [channels, height, width];
}

export function bytesOf(width: Width): number {
  return width === 'int32' ? 4 : 1;
}

/** The narrowest width of integers; null if none has them. */
export function widthOf(low: number, high: number): Width {
  if (low >= -128 && high <= 127) return 'int8';
  return low >= 0 && high <= 255 ? 'uint8' : 'int32';
}

/** Pixels of a block: few where planes are small, as what is behind their end is computed for nothing. */
function blockOf(pixels: number): number {
  const cost = (block: number) => Math.ceil(pixels / block) * (block + 24);
  return [128, 64, 32].reduce((best, block) => (cost(block) < cost(best) ? block : best));
}

/** The grids of all sizes in a network, for as many images. */
export class Grids {
  readonly #needs = new Map<string, Needs>();
  readonly #grids = new Map<string, Grid>();

  constructor(
    readonly engine: Engine,
    readonly images: number,
  ) {}

  /** Demands room around images. Before the first `of`. */
  need(height: number, width: number, needs: Needs): void {
    const key = `${height}x${width}`;
    const held = this.#needs.get(key) ?? { rowStep: width, rows: height, up: 0, left: 0 };
    this.#needs.set(key, {
      rowStep: Math.max(held.rowStep, needs.rowStep),
      rows: Math.max(held.rows, needs.rows),
      up: Math.max(held.up, needs.up),
      left: Math.max(held.left, needs.left),
    });
  }

  of(height: number, width: number): Grid {
    const key = `${height}x${width}`;
    const grid = this.#grids.get(key) ?? this.#made(height, width, this.#needs.get(key));
    this.#grids.set(key, grid);
    return grid;
  }

  #made(height: number, width: number, needs: Needs | undefined): Grid {
    const { rowStep, rows, up, left } = needs ?? { rowStep: width, rows: height, up: 0, left: 0 };
    const { images } = this;
    const imageStep = rows * rowStep;
    const block = blockOf(images * imageStep);
    const whole = Math.ceil((images * imageStep) / block) * block;
    // Planes a multiple of 4 KiB apart would fall into the same lines of the cache.
    const lanes = whole % 2048 === 0 ? whole + block : whole;
    const mask = this.engine.allocate(lanes);
    const bytes = this.engine.bytes;
    for (let n = 0; n < images; n++) {
      for (let y = 0; y < height; y++) {
        const row = mask + n * imageStep + y * rowStep;
        bytes.fill(255, row, row + width);
      }
    }
    return {
      images,
      height,
      width,
      rowStep,
      imageStep,
      block,
      lanes,
      lead: Math.ceil((up * rowStep + left) / 16) * 16,
      mask,
    };
  }

  /** A new place of a shape. */
  place(shape: readonly number[], low: number, high: number, width: Width = widthOf(low, high)): Place {
    const [planes, rows, columns] = planesOf(shape);
    const grid = this.of(rows, columns);
    const bytes = bytesOf(width);
    const lead = grid.lead * bytes;
    const address = this.engine.allocate(lead + planes * grid.lanes * bytes + 16 * grid.block) + lead;
    return { shape, planes, grid, width, low, high, address };
  }
}

/** Distance from one element to the next along each axis of a place's shape, in bytes. */
export function stridesOf({ shape, grid, width }: Place): readonly number[] {
  const bytes = bytesOf(width);
  const inner =
    shape.length === 4
      ? [grid.rowStep, 1]
      : shape.slice(2).map((_, axis, rest) => rest.slice(axis + 1).reduce((product, extent) => product * extent, 1));
  return [grid.imageStep, grid.lanes, ...inner].map((step) => step * bytes);
}
