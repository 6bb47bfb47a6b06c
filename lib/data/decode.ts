import { asInstance, asOptions, asString } from '../tensor/argument.js';
import { DataError } from '../tensor/errors.js';
import { ImageFile, type ImageLimits } from './imageFile.js';
import { checkJpeg, decodeJpeg } from './jpeg/decodeJpeg.js';
import type { Pixels } from './pixels.js';
import { checkPng, decodePng, PNG_SIGNATURE } from './png/decodePng.js';

export type { ImageLimits } from './imageFile.js';

/**
 * Decodes a JPEG or PNG file, told apart by its first bytes, to RGB; an alpha channel is dropped, grey repeated. Pixels
 * are as they are stored: an orientation in EXIF data is not applied.
 *
 * @param bytes the whole file
 * @param name what the error calls it, usually the file's path
 * @param limits how large a picture may be: what is announced is believed up to these and to what the file can hold
 * @returns [height, width, 3]
 * @throws DataError naming the file if it is neither, truncated, corrupt, of a kind that is not supported or above a
 *   limit
 */
export function decodeImage(bytes: Uint8Array, name: string, limits: ImageLimits = {}): Pixels {
  const file = openImage(bytes, name, limits);
  return file.format === 'PNG' ? decodePng(file) : decodeJpeg(file);
}

/**
 * Goes through a JPEG or PNG file without decoding its pixels, a small part of the work.
 *
 * @throws DataError as `decodeImage`, but for what is wrong among the pixels themselves
 */
export function checkImage(bytes: Uint8Array, name: string, limits: ImageLimits = {}): void {
  const file = openImage(bytes, name, limits);
  if (file.format === 'PNG') checkPng(file);
  else checkJpeg(file);
}

/** Formats that we know by their first bytes, and do not read. */
const OTHER_FORMATS: readonly (readonly [what: string, signature: RegExp])[] = [
  ['a GIF', /^GIF8[79]a/],
  ['a WebP', /^RIFF.{4}WEBP/s],
  ['a BMP', /^BM.{4}\0{4}/s],
  ['a TIFF', /^(II\*\0|MM\0\*)/],
  ['an AVIF', /^.{4}ftypavi[fs]/s],
  ['a HEIC', /^.{4}ftyp(heic|heix|mif1)/s],
];

function openImage(bytes: Uint8Array, name: string, limits: ImageLimits): ImageFile {
  asInstance('decodeImage', 'bytes', bytes, Uint8Array);
  asString('decodeImage', 'the name', name);
  asOptions('decodeImage', limits, 'limits');
  if (PNG_SIGNATURE.every((byte, i) => bytes[i] === byte)) return new ImageFile('PNG', bytes, name, limits);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return new ImageFile('JPEG', bytes, name, limits);
  const known = OTHER_FORMATS.find(([, signature]) => signature.test(String.fromCharCode(...bytes.subarray(0, 12))));
  const what = known ? `${known[0]}, which is not supported; convert it to PNG` : null;
  throw new DataError('decodeImage', `${name}: ${what ?? `${bytes.length} bytes that are neither JPEG nor PNG`}`);
}
