import { crc32 } from '../../tensor/crc32.js';
import type { ImageFile } from '../imageFile.js';
import { type Pixels, pixels } from '../pixels.js';
import { inflate } from './inflate.js';
import { imageBytes, type PngHeader, RowReader } from './rows.js';

export const PNG_SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** By colour type: samples a pixel and the bits that they may have. */
const COLOUR_TYPES: Readonly<Record<number, { readonly channels: number; readonly depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};

/** Deflate makes no more than 258 bytes of two bits. */
const LARGEST_RATIO = 1032;

/**
 * Decodes a PNG of any kind, interlaced or not, to RGB: grey is repeated, palettes are looked up, of 16 bits the upper
 * 8 are taken, transparency, gamma and colour profiles are left out, and of an animation the still picture is taken.
 *
 * @returns [height, width, 3]
 * @throws DataError naming the file if it is truncated, corrupt, of a kind that is not supported or above a limit
 */
export function decodePng(file: ImageFile): Pixels {
  const { header, palette, data } = checkPng(file);
  const rows = new RowReader(file, header, palette);
  inflate(
    data,
    (piece) => rows.push(piece),
    (reason) => file.corrupt(reason),
  );
  rows.end();
  return pixels(header.width, header.height, 3, rows.rgb);
}

/**
 * Reads the chunks of a file and their checksums, without decoding its pixels.
 *
 * @throws DataError as `decodePng`, but for what is wrong within the image data
 */
export function checkPng(file: ImageFile): Chunks {
  const chunks = readChunks(file);
  const { header, data } = chunks;
  file.checkSides(header.width, header.height);
  if (imageBytes(header) > data.length * LARGEST_RATIO) {
    throw file.corrupt(`${data.length} bytes of image data cannot hold ${header.width}x${header.height} pixels`);
  }
  return chunks;
}

/** What the chunks hold; of others there is no need. */
export interface Chunks {
  readonly header: PngHeader;
  /** [colours, 3]; empty without one. */
  readonly palette: Uint8Array;
  /** The zlib stream of all rows. */
  readonly data: Uint8Array;
}

function readChunks(file: ImageFile): Chunks {
  let header: PngHeader | null = null;
  let palette: Uint8Array = new Uint8Array(0);
  const parts: Uint8Array[] = [];
  for (const { type, data } of chunks(file)) {
    if (header === null && type !== 'IHDR') throw file.corrupt(`its first chunk is ${type}`);
    if (type === 'IHDR') {
      if (header !== null) throw file.corrupt('a second header');
      header = readHeader(file, data);
    } else if (type === 'PLTE') palette = readPalette(file, data);
    else if (type === 'IDAT') parts.push(data);
    else if (type !== 'IEND' && type[0] < 'a') throw file.unsupported(`a critical chunk ${type}`);
  }
  if (header === null || parts.length === 0) throw file.corrupt('no image data');
  if (header.indexed && palette.length === 0) throw file.corrupt('no palette');
  return { header, palette, data: parts.length === 1 ? parts[0] : joined(parts) };
}

/** The chunks up to the end of the picture. @throws DataError if the file ends before, or a checksum is wrong */
function* chunks(file: ImageFile): Generator<{ readonly type: string; readonly data: Uint8Array }> {
  const { bytes } = file;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let type = '';
  for (let at = PNG_SIGNATURE.length; type !== 'IEND'; ) {
    if (at + 12 > bytes.length) throw file.truncated('no end of the picture');
    const length = view.getUint32(at);
    const end = at + 8 + length;
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw file.corrupt(`no chunk at byte ${at}`);
    if (end + 4 > bytes.length) throw file.truncated(`its chunk ${type} of ${length} bytes is cut off`);
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw file.corrupt(`the checksum of its chunk ${type} is wrong`);
    }
    yield { type, data: bytes.subarray(at + 8, end) };
    at = end + 4;
  }
}

function readHeader(file: ImageFile, data: Uint8Array): PngHeader {
  if (data.length !== 13) throw file.corrupt('a header of odd length');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [depth, colourType, compression, filters, interlacing] = data.subarray(8);
  const kind = COLOUR_TYPES[colourType];
  if (!kind?.depths.includes(depth)) throw file.corrupt(`colour type ${colourType} with ${depth} bits a sample`);
  if (compression !== 0 || filters !== 0 || interlacing > 1) {
    throw file.unsupported(`compression ${compression}, filters ${filters}, interlacing ${interlacing}`);
  }
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  return { width, height, depth, channels: kind.channels, indexed: colourType === 3, interlaced: interlacing === 1 };
}

function readPalette(file: ImageFile, data: Uint8Array): Uint8Array {
  if (data.length === 0 || data.length % 3 !== 0 || data.length > 768) {
    throw file.corrupt(`a palette of ${data.length} bytes`);
  }
  return data;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
