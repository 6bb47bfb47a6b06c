import type { Random } from '../../lib/tensor/random.js';

/** A reader of files that may come from anywhere. */
export interface Target {
  /** What is made of sound files, for the table. */
  readonly how: string;
  /** Cases of a whole run. */
  readonly count: number;
  /** A generator of damaged files. */
  prepare(): Promise<(random: Random) => Uint8Array>;
  /** Reads one as the library would; throws what the library throws. */
  read(bytes: Uint8Array): void | Promise<void>;
}
