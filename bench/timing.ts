/** How often each engine runs: untimed, then timed. */
export interface Counts {
  readonly warmup: number;
  readonly rounds: number;
}

/** Milliseconds of one run. */
export interface Timing {
  readonly median: number;
  readonly min: number;
}

/** Takes a number of every result, so that no engine may skip the work. */
let sink = 0;

/** What the runs so far have added up to. */
export function sunk(): number {
  return sink;
}

/**
 * Times runs in one process, turn by turn, so that all of them meet the same machine; every round starts with
 * another one.
 *
 * @param runs each runs once and gives a number that depends on the whole result being there
 */
export async function timeInterleaved(runs: readonly (() => Promise<number>)[], counts: Counts): Promise<Timing[]> {
  const times: number[][] = runs.map(() => []);
  for (let round = -counts.warmup; round < counts.rounds; round++) {
    for (const i of runs.keys()) {
      const turn = (i + round + counts.warmup) % runs.length;
      const start = performance.now();
      const result = await runs[turn]();
      const elapsed = performance.now() - start;
      sink += result;
      if (round >= 0) times[turn].push(elapsed);
    }
  }
  return times.map(timingOf);
}

/** Median (mean of the middle two) and minimum. */
export function timingOf(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0] };
}
