import { rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../../tensor/errors.js';

export { fileExists } from '../../data/node/files.js';

/** Why the file system refused a write, in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would exceed the size limit',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'a folder on the way does not exist and cannot be made',
  ENOTDIR: 'a file is in the way of a folder',
  EEXIST: 'a file is in the way of a folder',
  EISDIR: 'a folder is in the way of the file',
};

/** What the system calls an error, `ENOENT`; empty if it is none of the system's. */
export function errorCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

/** A refused write as an error that names the path. */
export function writeError(path: string, cause: unknown): DataError {
  const reason = REASONS[errorCode(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
  return new DataError('save', `cannot write ${path}: ${reason}`, { cause });
}

/** Temporary files being written; they go even if the process ends in the middle. */
const unfinished = new Set<string>();
process.on('exit', () => {
  for (const path of unfinished) rmSync(path, { force: true });
});

/**
 * Writes a whole file or nothing: to a temporary file beside it, flushed, then renamed; deleted if anything fails.
 *
 * @throws DataError naming the path: full disk, no permission, no such folder
 */
export async function writeAtomic(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  unfinished.add(temporary);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeError(path, cause);
  } finally {
    unfinished.delete(temporary);
  }
}

/** What `writeAtomic` calls its temporary files. */
const TEMPORARY = /^\..*\.(\d+)\.tmp$/;

/** Removes what a process that was killed in the middle of `writeAtomic` left in a folder. @returns the names */
export async function removeStaleTemporaries(folder: string): Promise<string[]> {
  const stale = (await readdir(folder)).filter((name) => {
    const pid = Number(TEMPORARY.exec(name)?.[1] ?? Number.NaN);
    if (pid === process.pid) return !unfinished.has(join(folder, name));
    return Number.isSafeInteger(pid) && !processExists(pid);
  });
  for (const name of stale) await rm(join(folder, name), { force: true });
  return stale;
}

/** Whether a process of this machine lives. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return errorCode(cause) === 'EPERM';
  }
}

/** Makes a folder with all above it and proves that files can be written there. @throws DataError naming the path */
export async function makeWritableFolder(path: string): Promise<void> {
  try {
    await makeFolder(resolve(path));
  } catch (cause) {
    throw writeError(path, cause);
  }
  const probe = join(path, `.probe.${process.pid}.tmp`);
  await writeAtomic(probe, 'a2q\n');
  await rm(probe, { force: true });
}

/** `mkdir -p`, one level at a time: the recursive mode of Node never returns where mkdir says ENOENT, as in /proc. */
export async function makeFolder(path: string): Promise<void> {
  const parent = dirname(path);
  if (parent !== path && !(await exists(parent))) await makeFolder(parent);
  if (await exists(path)) {
    if (!(await stat(path)).isDirectory()) throw Object.assign(new Error('a file'), { code: 'EEXIST' });
  } else {
    await mkdir(path);
  }
}

/** Which of a folder and all above it are not there, the innermost first: what `makeFolder` would make. */
export async function missingFolders(path: string): Promise<string[]> {
  const parent = dirname(path);
  if (await exists(path).catch(() => true)) return [];
  return parent === path ? [path] : [path, ...(await missingFolders(parent))];
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return false;
    throw cause;
  }
}

/** A whole text file; null if there is none. @throws DataError naming a file that cannot be read */
export async function readTextIfAny(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return null;
    throw new DataError('read', `cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
