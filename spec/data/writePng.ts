import { deflateSync } from 'node:zlib';
import { crc32 } from '../../lib/tensor/crc32.js';

/** A picture as PNG holds it: one row of samples after the other, pixel by pixel. */
export interface PngPicture {
  readonly width: number;
  readonly height: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. Default 2. */
  readonly colourType?: 0 | 2 | 3 | 4 | 6;
  /** Bits a sample. Default 8. */
  readonly depth?: number;
  readonly samples: ArrayLike<number>;
  /** [colours, 3] */
  readonly palette?: Uint8Array;
  readonly transparency?: Uint8Array;
  readonly interlaced?: boolean;
  /** The filter of each row, in turn. Default none. */
  readonly filters?: readonly number[];
  /** Longest IDAT chunk. Default: one for all. */
  readonly split?: number;
}

export const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;
const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const WHOLE = [[0, 0, 1, 1]] as const;
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** A chunk with its length and checksum. */
export function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}

/** A whole file around chunks. */
export function pngOf(...chunks: readonly Buffer[]): Buffer {
  return Buffer.concat([SIGNATURE, ...chunks, chunk('IEND', Buffer.alloc(0))]);
}

export function headerChunk(width: number, height: number, depth = 8, colourType = 2, interlaced = false): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth, colourType, 0, 0, interlaced ? 1 : 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  return chunk('IHDR', header);
}

/** The bytes of a file, written plainly from the specification: what the decoder is held against. */
export function writePng(picture: PngPicture): Uint8Array {
  const { width, height, colourType = 2, depth = 8, palette, transparency, interlaced = false } = picture;
  const data = deflateSync(rawRows(picture));
  const { split = data.length } = picture;
  const parts = Array.from({ length: Math.ceil(data.length / split) }, (_, i) =>
    data.subarray(i * split, (i + 1) * split),
  );
  return pngOf(
    headerChunk(width, height, depth, colourType, interlaced),
    ...(palette ? [chunk('PLTE', palette)] : []),
    ...(transparency ? [chunk('tRNS', transparency)] : []),
    ...parts.map((part) => chunk('IDAT', part)),
  );
}

function rawRows({ width, height, colourType = 2, depth = 8, samples, interlaced, filters = [0] }: PngPicture): Buffer {
  const channels = CHANNELS[colourType];
  const step = Math.max(1, (depth * channels) >> 3);
  const rows: Buffer[] = [];
  for (const [left, top, stepX, stepY] of interlaced ? ADAM7 : WHOLE) {
    let above: Buffer | null = null;
    for (let y = top; y < height && left < width; y += stepY) {
      const row: number[] = [];
      for (let x = left; x < width; x += stepX) {
        for (let c = 0; c < channels; c++) row.push(samples[(y * width + x) * channels + c]);
      }
      const bytes = packed(row, depth);
      rows.push(filtered(bytes, above ?? Buffer.alloc(bytes.length), step, filters[rows.length % filters.length]));
      above = bytes;
    }
  }
  return Buffer.concat(rows);
}

function packed(row: readonly number[], depth: number): Buffer {
  const bits = row.map((sample) => sample.toString(2).padStart(depth, '0')).join('');
  return Buffer.from(bits.match(/.{1,8}/g)?.map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2)) ?? []);
}

function filtered(row: Buffer, above: Buffer, step: number, filter: number): Buffer {
  const predict = (left: number, up: number, corner: number) => {
    const nearest = [left, up, corner].map((value) => Math.abs(left + up - corner - value));
    const paeth = [left, up, corner][nearest.indexOf(Math.min(...nearest))];
    return [0, left, up, (left + up) >> 1, paeth][filter];
  };
  const at = (line: Buffer, i: number) => (i < 0 ? 0 : line[i]);
  return Buffer.from([
    filter,
    ...row.map((byte, i) => byte - predict(at(row, i - step), above[i], at(above, i - step))),
  ]);
}
