import { convertIndexedToRgb, type DecodedPng, decode as decodePngFile, hasPngSignature } from 'fast-png';
import { DataError } from '../tensor/errors.js';
import { decodeJpeg } from './jpeg.js';
import { type Pixels, pixels } from './pixels.js';

/**
 * Decodes a JPEG or PNG file, told apart by its first bytes, to RGB; an alpha channel is dropped, grey repeated.
 *
 * @param bytes the whole file
 * @param name what the error calls it, usually the file's path
 * @returns [height, width, 3]
 * @throws DataError naming the file if it is neither, truncated or corrupt
 */
export function decodeImage(bytes: Uint8Array, name: string): Pixels {
  if (bytes.length >= 8 && hasPngSignature(bytes)) return decodePng(bytes, name);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return decodeJpeg(bytes, name);
  throw new DataError('decodeImage', `${name}: ${bytes.length} bytes that are neither JPEG nor PNG`);
}

function decodePng(bytes: Uint8Array, name: string): Pixels {
  try {
    return toRgb(decodePngFile(bytes, { checkCrc: true }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError('decodeImage', `${name}: truncated or corrupt PNG of ${bytes.length} bytes (${reason})`, {
      cause,
    });
  }
}

function toRgb(png: DecodedPng): Pixels {
  const { width, height, depth } = png;
  // Below 8 bits the samples are packed; grey ones unpack as indices into a palette of greys.
  const palette = png.palette ?? (depth < 8 ? greys(2 ** depth) : undefined);
  const source = palette ? convertIndexedToRgb({ ...png, palette }) : png.data;
  const channels = palette ? palette[0].length : png.channels;
  const shift = depth === 16 ? 8 : 0;
  const step = channels >= 3 ? 1 : 0;
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) out[i * 3 + c] = source[i * channels + c * step] >> shift;
  }
  return pixels(width, height, 3, out);
}

/** `count` evenly spaced greys from black to white. */
function greys(count: number): number[][] {
  return Array.from({ length: count }, (_, i) => new Array<number>(3).fill((i * 255) / (count - 1)));
}
