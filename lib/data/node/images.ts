import { readFileSync } from 'node:fs';
import { DataError } from '../../tensor/errors.js';
import { decodeImage } from '../decode.js';
import { IMAGE_LIMITS, type ImageLimits } from '../imageFile.js';
import type { Pixels } from '../pixels.js';
import { fileError, readBytes } from './files.js';

/** The environment variable that raises or lowers how many pixels an image may have. */
export const MAX_PIXELS_VARIABLE = 'A2Q_MAX_PIXELS';

type Environment = Readonly<Record<string, string | undefined>>;

/** What images from files may ask of this machine. @throws DataError if A2Q_MAX_PIXELS is no positive integer */
export function imageLimits(environment: Environment = process.env): Required<ImageLimits> {
  const given = environment[MAX_PIXELS_VARIABLE];
  if (!given) return IMAGE_LIMITS;
  const maxPixels = Number(given);
  if (!(Number.isSafeInteger(maxPixels) && maxPixels > 0)) {
    throw new DataError('images', `${MAX_PIXELS_VARIABLE} must be a positive integer; got ${given}`);
  }
  return { ...IMAGE_LIMITS, maxPixels };
}

/** A decoded image file. @throws DataError naming a file that is missing or cannot be decoded */
export async function readImage(op: string, path: string): Promise<Pixels> {
  return decodeImage(await readBytes(op, path), path, imageLimits());
}

/** The same at once. */
export function readImageSync(op: string, path: string): Pixels {
  return decodeImage(readBytesSync(op, path), path, imageLimits());
}

function readBytesSync(op: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw fileError(op, path, cause);
  }
}
