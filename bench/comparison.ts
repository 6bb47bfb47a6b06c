import Table from 'cli-table3';
import type { WinogradChoice } from '../lib/kernels/wasm/choices.js';
import type { Timing } from './timing.js';

/** What ran on our side. */
export interface Setting {
  readonly backend: string;
  /** Instruction set of the wasm backend; null for others. */
  readonly simd: 'plain' | 'relaxed' | null;
  /** Minimal filtering of the wasm backend's 3 × 3 convolutions; null for others. */
  readonly winograd: WinogradChoice | null;
  readonly threads: number;
}

/** One line of output: the same work, by us and by someone else. Times are milliseconds, the median of the rounds. */
export interface Comparison extends Setting {
  readonly name: string;
  readonly ours: number;
  readonly theirs: number;
  readonly theirsName: string;
  readonly unit: 'ms';
  /** theirs ÷ ours: above 1 we are faster. */
  readonly ratio: number;
  readonly oursMin: number;
  readonly theirsMin: number;
  /** Timed runs of each; null where their time was measured elsewhere. */
  readonly rounds: number | null;
  /** Arithmetic of one run, in 10⁹ operations of the direct algorithm; absent for whole training steps. */
  readonly gflop?: number;
  /** Largest difference of the results, relative to their root mean square; absent for training steps. */
  readonly difference?: number;
  /** Most bytes of tensors alive in a training step, ours and theirs where that is ours too. */
  readonly peakBytes?: number;
  readonly theirsPeakBytes?: number;
  /** Of GPU backends: what computes, and whether that is the CPU; arithmetic in 10⁹ operations a second. */
  readonly adapter?: string;
  readonly software?: boolean;
  readonly gflops?: number;
  /** Of integer networks: what runs, and 10⁹ multiplications of dense arithmetic a second, median and best. */
  readonly kernels?: string;
  readonly gmacPerSecond?: number;
  readonly gmacPerSecondBest?: number;
  readonly theirsGflops?: number;
}

/** What a comparison says beside the times. */
export type Details = Setting & Pick<Comparison, 'name' | 'theirsName' | 'rounds'> & Partial<Comparison>;

export function comparison(ours: Timing, theirs: Timing, details: Details): Comparison {
  const { name, theirsName, backend, threads, ...rest } = details;
  const round = (value: number) => Number(value.toPrecision(4));
  return {
    name,
    ours: round(ours.median),
    theirs: round(theirs.median),
    theirsName,
    unit: 'ms',
    ratio: round(theirs.median / ours.median),
    backend,
    threads,
    oursMin: round(ours.min),
    theirsMin: round(theirs.min),
    ...rest,
  };
}

/** Milliseconds with about three digits. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(3);
}

export function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

/** For people: one row a comparison, medians with minima in brackets. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const table = new Table({
    head: ['', 'threads', 'ours ms', 'theirs ms', 'theirs', 'ratio', 'peak MiB'],
    colAligns: ['left', 'right', 'right', 'right', 'left', 'right', 'right'],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const time = (median: number, min: number) => `${milliseconds(median)} (${milliseconds(min)})`;
  for (const each of comparisons) {
    const { name, threads, theirsName, ratio } = each;
    const [ours, theirs] = [time(each.ours, each.oursMin), time(each.theirs, each.theirsMin)];
    const peak = each.peakBytes === undefined ? '' : mebibytes(each.peakBytes);
    table.push([name, threads, ours, theirs, theirsName, ratio.toFixed(2), peak]);
  }
  return table.toString();
}
