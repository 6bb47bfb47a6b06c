import { createHash } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { fileError } from './files.js';

/** A file of a data set. */
export interface DataFile {
  /** Below the data set's folder, the same wherever that is. */
  readonly name: string;
  readonly path: string;
}

/** Bytes that are read in full: a second or two. */
const WHOLE = 2 ** 30;
/** Of more than that, so many files are read, spread evenly, and of each three parts of so many bytes. */
const SAMPLED_FILES = 2048;
const PART = 2 ** 16;

/** Files asked for their size at once. */
const AT_ONCE = 64;

/**
 * A digest of names, sizes and contents, in hexadecimal. Beyond {@link WHOLE} bytes contents are sampled.
 * @throws DataError naming a file that cannot be read
 */
export async function fingerprint(files: readonly DataFile[]): Promise<string> {
  const hash = createHash('sha256');
  const sizes = await sizesOf(files);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const stride = total <= WHOLE ? 1 : Math.ceil(files.length / SAMPLED_FILES);
  for (const [i, { name, path }] of files.entries()) {
    hash.update(`${name}\0${sizes[i]}\0`);
    if (i % stride !== 0) continue;
    for (const part of await read(path, sizes[i], total <= WHOLE)) hash.update(part);
  }
  return hash.digest('hex');
}

async function sizesOf(files: readonly DataFile[]): Promise<number[]> {
  const sizes: number[] = [];
  for (let i = 0; i < files.length; i += AT_ONCE) {
    const some = files.slice(i, i + AT_ONCE).map(async ({ path }) => {
      try {
        return (await stat(path)).size;
      } catch (cause) {
        throw fileError('fingerprint', path, cause);
      }
    });
    sizes.push(...(await Promise.all(some)));
  }
  return sizes;
}

/** A file's contents, or its beginning, middle and end. */
async function read(path: string, size: number, whole: boolean): Promise<Uint8Array[]> {
  try {
    if (whole || size <= 3 * PART) return [await readFile(path)];
    const file = await open(path);
    try {
      const starts = [0, Math.floor((size - PART) / 2), size - PART];
      const parts = starts.map(() => new Uint8Array(PART));
      for (const [i, start] of starts.entries()) await file.read(parts[i], 0, PART, start);
      return parts;
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw fileError('fingerprint', path, cause);
  }
}
