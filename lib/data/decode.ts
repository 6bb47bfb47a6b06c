import { DataError } from '../tensor/errors.js';
import { ImageFile, type ImageLimits } from './imageFile.js';
import { decodeJpeg } from './jpeg/decodeJpeg.js';
import type { Pixels } from './pixels.js';
import { decodePng, PNG_SIGNATURE } from './png/decodePng.js';

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
  if (PNG_SIGNATURE.every((byte, i) => bytes[i] === byte)) return decodePng(new ImageFile('PNG', bytes, name, limits));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return decodeJpeg(new ImageFile('JPEG', bytes, name, limits));
  throw new DataError('decodeImage', `${name}: ${bytes.length} bytes that are neither JPEG nor PNG`);
}
