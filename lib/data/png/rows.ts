import type { ImageFile } from '../imageFile.js';

/** What the header of a PNG says. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** Samples a pixel: 1 grey or an index into the palette, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  /** Whether samples are indices into a palette. */
  readonly indexed: boolean;
  readonly interlaced: boolean;
}

/** Pixels of a picture in their own rows: every `stepX`-th of every `stepY`-th row, from (`left`, `top`) on. */
interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly width: number;
  readonly height: number;
}

/** Adam7: [left, top, stepX, stepY] of each pass. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** The passes that hold pixels. */
function passesOf({ width, height, interlaced }: PngHeader): Pass[] {
  const grids = interlaced ? ADAM7 : [[0, 0, 1, 1] as const];
  return grids
    .map(([left, top, stepX, stepY]) => {
      const size = { width: Math.ceil((width - left) / stepX), height: Math.ceil((height - top) / stepY) };
      return { left, top, stepX, stepY, ...size };
    })
    .filter(({ width, height }) => width > 0 && height > 0);
}

function rowBytes({ depth, channels }: PngHeader, width: number): number {
  return Math.ceil((width * channels * depth) / 8);
}

/** Bytes that all rows take, each with the byte that names its filter. */
export function imageBytes(header: PngHeader): number {
  return passesOf(header).reduce((sum, { width, height }) => sum + height * (1 + rowBytes(header, width)), 0);
}

/** Takes the rows of a picture in pieces of any length, undoes their filters and writes them as RGB. */
export class RowReader {
  readonly rgb: Uint8Array;
  readonly #passes: readonly Pass[];
  #pass = 0;
  #row = 0;
  /** The filter's number, then the bytes of this row and of the one above. */
  #line: Uint8Array;
  #above: Uint8Array;
  /** How much of the row is there. */
  #filled = 0;
  readonly #samples: Uint8Array;

  /** @param palette [colours, 3], for indices */
  constructor(
    readonly file: ImageFile,
    readonly header: PngHeader,
    readonly palette: Uint8Array,
  ) {
    this.rgb = new Uint8Array(header.width * header.height * 3);
    this.#passes = passesOf(header);
    this.#samples = new Uint8Array(header.width * header.channels);
    [this.#line, this.#above] = this.#lines();
  }

  #lines(): [Uint8Array, Uint8Array] {
    const length = 1 + rowBytes(this.header, this.#passes[this.#pass].width);
    return [new Uint8Array(length), new Uint8Array(length)];
  }

  /** @throws DataError if there are more bytes than rows, or a filter or colour that does not exist */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#pass === this.#passes.length) throw this.file.corrupt('more image data than its header announces');
      const taken = Math.min(piece.length - at, this.#line.length - this.#filled);
      this.#line.set(piece.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#line.length) this.#endRow();
    }
  }

  /** @throws DataError if rows are missing */
  end(): void {
    if (this.#pass < this.#passes.length) throw this.file.corrupt('less image data than its header announces');
  }

  #endRow(): void {
    const pass = this.#passes[this.#pass];
    this.#unfilter();
    this.#unpack(pass.width * this.header.channels);
    this.#writeRgb(pass);
    [this.#line, this.#above] = [this.#above, this.#line];
    this.#filled = 0;
    if (++this.#row < pass.height) return;
    this.#row = 0;
    this.#pass++;
    if (this.#pass < this.#passes.length) [this.#line, this.#above] = this.#lines();
  }

  /** Adds what the filter predicted from the pixel to the left, the row above and the pixel left of that. */
  #unfilter(): void {
    const [line, above] = [this.#line, this.#above];
    const step = Math.max(1, (this.header.depth * this.header.channels) >> 3);
    const first = 1 + step;
    switch (line[0]) {
      case 0:
        return;
      case 1:
        for (let i = first; i < line.length; i++) line[i] += line[i - step];
        return;
      case 2:
        for (let i = 1; i < line.length; i++) line[i] += above[i];
        return;
      case 3:
        for (let i = 1; i < first; i++) line[i] += above[i] >> 1;
        for (let i = first; i < line.length; i++) line[i] += (line[i - step] + above[i]) >> 1;
        return;
      case 4:
        for (let i = 1; i < first; i++) line[i] += above[i];
        for (let i = first; i < line.length; i++) line[i] += paeth(line[i - step], above[i], above[i - step]);
        return;
      default:
        throw this.file.corrupt(`a row with filter ${line[0]}`);
    }
  }

  /** Samples of 8 bits, of 16 the upper 8, and packed ones as they are. */
  #unpack(count: number): void {
    const { depth } = this.header;
    const [line, samples] = [this.#line, this.#samples];
    const perByte = 8 / depth;
    for (let i = 0; i < count; i++) {
      if (depth === 8) samples[i] = line[1 + i];
      else if (depth === 16) samples[i] = line[1 + 2 * i];
      else {
        const shift = 8 - depth - (i % perByte) * depth;
        samples[i] = (line[1 + Math.floor(i / perByte)] >> shift) & ((1 << depth) - 1);
      }
    }
  }

  #writeRgb({ left, top, stepX, stepY, width }: Pass): void {
    const { header, palette, rgb } = this;
    const { channels, indexed, depth } = header;
    const samples = this.#samples;
    const scale = !indexed && depth < 8 ? 255 / ((1 << depth) - 1) : 1;
    const colour = channels >= 3 ? 1 : 0;
    const start = ((top + this.#row * stepY) * header.width + left) * 3;
    for (let x = 0, to = start; x < width; x++, to += 3 * stepX) {
      if (indexed) {
        const index = samples[x] * 3;
        if (index >= palette.length)
          throw this.file.corrupt(`colour ${samples[x]} of a palette of ${palette.length / 3}`);
        for (let c = 0; c < 3; c++) rgb[to + c] = palette[index + c];
      } else {
        for (let c = 0; c < 3; c++) rgb[to + c] = samples[x * channels + c * colour] * scale;
      }
    }
  }
}

/** Of left, above and corner, the one nearest to left + above − corner. */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
