import { fileURLToPath } from 'node:url';

/** The folder of all that this package runs: `…/dist/`. */
const OWN = import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + '/dist/'.length);

/** Address, line and column of a frame of a stack. */
const FRAME = /(file:\/\/[^\s)]+):(\d+):\d+/g;

/**
 * Where an error arose, if that is a file of the user: `FILE:LINE` of the first frame that is of no installed package.
 * Null if a frame of this package, or none at all, comes before.
 */
export function foreignPlace(error: unknown): string | null {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const [, address, line] of stack.matchAll(FRAME)) {
    if (address.startsWith(OWN)) return null;
    if (!address.includes('/node_modules/')) return `${fileURLToPath(address)}:${line}`;
  }
  return null;
}
