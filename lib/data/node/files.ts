import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asString } from '../../tensor/argument.js';
import { DataError } from '../../tensor/errors.js';

/** Why the file system refused, in words. */
function reason(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'ENOTDIR') return 'is not a folder';
  if (code === 'EISDIR') return 'is a folder, not a file';
  if (code === 'EACCES') return 'may not be read';
  return cause instanceof Error ? cause.message : String(cause);
}

/** A failure of the file system as an error that names the path. */
export function fileError(op: string, path: string, cause: unknown): DataError {
  return new DataError(op, `${path} ${reason(cause)}`, { cause });
}

/** A whole file. @throws DataError naming it */
export async function readBytes(op: string, path: string): Promise<Uint8Array> {
  asString(op, 'the path', path);
  try {
    return await readFile(path);
  } catch (cause) {
    throw fileError(op, path, cause);
  }
}

/** Bytes of a file, before any is read. @throws DataError naming it */
export async function fileSize(op: string, path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw fileError(op, path, cause);
  }
}

/** Names in a folder, sorted by code unit, so that the order is the same everywhere. @throws DataError naming it */
export async function listFolder(op: string, path: string): Promise<string[]> {
  asString(op, 'the folder', path);
  try {
    return (await readdir(path)).sort();
  } catch (cause) {
    throw fileError(op, path, cause);
  }
}

/** The sub-folders of a folder, sorted. @throws DataError naming the folder */
export async function listFolders(op: string, path: string): Promise<string[]> {
  const names = await listFolder(op, path);
  const isFolder = await Promise.all(names.map((name) => folderExists(join(path, name))));
  return names.filter((_, i) => isFolder[i]);
}

export async function fileExists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

export async function folderExists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** The first few of many names. */
export function listed(names: readonly string[], most = 5): string {
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return `${names.slice(0, most).join(', ')}${more}`;
}
