import { A2QError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { TARGETS, type TargetName } from './targets.js';

/** How a reader took damaged files. */
export interface Outcome {
  readonly target: TargetName;
  readonly cases: number;
  /** Taken for sound: the damage was undone, does not matter or cannot be seen. */
  readonly read: number;
  /** Refused with an error of the library. */
  readonly refused: number;
  /** Anything else that was thrown, with the number of its case. */
  readonly raw: readonly string[];
  /** Processor time of the slowest case, milliseconds, and its number. */
  readonly slowestMs: number;
  readonly slowestCase: number;
  /** How far resident memory grew at most beyond that after preparation, megabytes. */
  readonly growthMB: number;
}

export interface CampaignOptions {
  readonly count: number;
  readonly seed: number;
  /** Told before each case. */
  readonly onCase?: (index: number) => void;
}

/** Case `index` is the same whatever came before it. */
function randomOf(seed: number, index: number): Random {
  return new Random(seed).fork(index);
}

/** Reads `count` damaged files in this process. */
export async function campaign(target: TargetName, { count, seed, onCase }: CampaignOptions): Promise<Outcome> {
  const { prepare, read: readFile } = TARGETS[target];
  const make = await prepare();
  const tally = { read: 0, refused: 0, slowestMs: 0, slowestCase: 0 };
  const raw: string[] = [];
  const before = process.memoryUsage.rss();
  for (let index = 0; index < count; index++) {
    onCase?.(index);
    const bytes = make(randomOf(seed, index));
    const start = process.cpuUsage();
    try {
      await readFile(bytes);
      tally.read++;
    } catch (error) {
      if (error instanceof A2QError) tally.refused++;
      else raw.push(`case ${index}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    const { user, system } = process.cpuUsage(start);
    const ms = (user + system) / 1000;
    if (ms > tally.slowestMs) Object.assign(tally, { slowestMs: ms, slowestCase: index });
  }
  const growthMB = Math.max(0, (process.resourceUsage().maxRSS * 1024 - before) / 1e6);
  return { target, cases: count, ...tally, raw, growthMB };
}
