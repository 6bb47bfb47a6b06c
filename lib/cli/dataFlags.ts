import type { Command } from 'commander';
import type { MadeIn } from '../data/batchSource.js';

/** The options every command that reads images has. */
export interface DataFlags {
  readonly dataDir?: string;
  readonly prefetch: boolean;
}

export function addDataOptions(command: Command): Command {
  return command
    .option('--data-dir <folder>', 'where the data sets are (default: $A2Q_DATA_DIR)')
    .option('--no-prefetch', 'make batches between the steps, not ahead of time in a worker');
}

/** Where batches were made, for people. */
export function describeBatches(madeIn: MadeIn): string {
  return madeIn === 'worker' ? 'ahead of time in a worker' : 'between the steps, in the same thread';
}
