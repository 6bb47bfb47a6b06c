import { readFileSync } from 'node:fs';
import { DataError } from '../../tensor/errors.js';
import { checkImage, decodeImage } from '../decode.js';
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

/** Images that cannot be read are named up to so many. */
const MOST_NAMED = 20;

/**
 * Does something with every image, also after some that cannot be read.
 * @throws DataError the failure if it is one; else naming all of them, up to {@link MOST_NAMED}
 */
export async function forAll<T>(
  op: string,
  images: readonly T[],
  work: (image: T) => Promise<void>,
  onProgress?: (done: number, total: number) => void,
): Promise<void> {
  const failures: DataError[] = [];
  for (const [done, image] of images.entries()) {
    try {
      await work(image);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      failures.push(error);
    }
    onProgress?.(done + 1, images.length);
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length === 0) return;
  const named = failures.slice(0, MOST_NAMED).map((error) => `\n  ${error.message.slice(error.op.length + 2)}`);
  const more = failures.length > MOST_NAMED ? `\n  and ${failures.length - MOST_NAMED} more` : '';
  throw new DataError(op, `${failures.length} of ${images.length} images cannot be read:${named.join('')}${more}`);
}

export interface CacheOptions {
  /** Most memory that decoded images may keep. Default 1 GiB. */
  readonly cacheBytes?: number;
}

/** Image files by number. Decoded ones stay in memory while there is room. */
export class ImageFiles {
  readonly #kept = new Map<number, Pixels>();
  readonly #limits = imageLimits();
  /** Bytes that may still be kept. */
  #room: number;
  #full = false;

  constructor(
    readonly op: string,
    readonly paths: readonly string[],
    { cacheBytes = 2 ** 30 }: CacheOptions = {},
  ) {
    this.#room = cacheBytes;
  }

  /** A decoded image. @throws DataError naming a file that cannot be read or decoded */
  load(index: number): Pixels {
    const known = this.#kept.get(index);
    if (known) return known;
    const path = this.paths[index];
    return this.#keep(index, decodeImage(readBytesSync(this.op, path), path, this.#limits));
  }

  #keep(index: number, image: Pixels): Pixels {
    this.#full ||= image.data.length > this.#room;
    if (this.#full) return image;
    this.#room -= image.data.length;
    this.#kept.set(index, image);
    return image;
  }

  /**
   * Looks at files before any is needed: decodes them while there is room for what they hold, then goes through them
   * without decoding pixels.
   *
   * @throws DataError naming all that cannot be read
   */
  async check(indices: Iterable<number>, onProgress?: (done: number, total: number) => void): Promise<void> {
    const look = async (index: number) => {
      const path = this.paths[index];
      const bytes = await readBytes(this.op, path);
      if (this.#full) checkImage(bytes, path, this.#limits);
      else this.#keep(index, decodeImage(bytes, path, this.#limits));
    };
    await forAll(this.op, [...indices], look, onProgress);
  }
}

function readBytesSync(op: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw fileError(op, path, cause);
  }
}
