import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where golden vectors lie, if they do. */
const GOLDEN_DIR = process.env['A2Q_GOLDEN_DIR'] ?? '../shared/golden';

/** An array of a golden file, row-major; a number alone is a scalar. */
export interface GoldenArray {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A golden file of type `T`, or the reason to skip what needs it. */
export type Golden<T> =
  | { readonly content: T; readonly skip: false }
  | { readonly content: null; readonly skip: string };

/** Reads `NAME.json` of the golden folder; the caller names the part of its format it uses. */
export function readGolden<T>(name: string): Golden<T> {
  const path = join(GOLDEN_DIR, `${name}.json`);
  if (!existsSync(path)) return { content: null, skip: `no golden vectors at ${path} (set A2Q_GOLDEN_DIR)` };
  return { content: JSON.parse(readFileSync(path, 'utf8')) as T, skip: false };
}
