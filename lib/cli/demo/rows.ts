import Table from 'cli-table3';
import pc from 'picocolors';
import type { Method } from '../../quant/methods.js';
import { percent } from '../output.js';
import { METHOD_LABELS } from '../report/theme.js';
import type { DemoResults } from './runDemo.js';

/** One line of the demo's table and of `results.json`. */
export interface DemoRow {
  readonly method: Method;
  /** P of the accumulator; null for floats. */
  readonly accBits: number | null;
  /** Accuracy 0 … 1 of the simulation that training sees, with accumulators of any width. */
  readonly accuracy: number;
  /** Accuracy 0 … 1 on accumulators of P bits that wrap around; for floats the same as `accuracy`. */
  readonly accumulatorAccuracy: number;
  /** Partial sums of the whole test that did not fit P bits. */
  readonly overflows: number;
  /** Narrowest P that no input whatever can overflow, by the exact test; null for floats. */
  readonly provedAccBits: number | null;
  /** Share of zeros among the hidden weights. */
  readonly sparsity: number;
}

/** The table: the float network, then every P, widest first, with all methods side by side. */
export function rowsOf({ float, networks }: Pick<DemoResults, 'float' | 'networks'>): DemoRow[] {
  const widths = [...new Set(networks.flatMap(({ trials }) => trials.map(({ accumulatorBits }) => accumulatorBits)))];
  const first: DemoRow = {
    method: 'float',
    accBits: null,
    accuracy: float.accuracy,
    accumulatorAccuracy: float.accuracy,
    overflows: 0,
    provedAccBits: null,
    sparsity: float.sparsity,
  };
  const rest = widths
    .sort((a, b) => b - a)
    .flatMap((width) =>
      networks.flatMap(({ method, accuracy, safeBits, sparsity, trials }): DemoRow[] =>
        trials
          .filter(({ accumulatorBits }) => accumulatorBits === width)
          .map((trial) => ({
            method,
            accBits: width,
            accuracy,
            accumulatorAccuracy: trial.accuracy,
            overflows: trial.overflows,
            provedAccBits: safeBits,
            sparsity,
          })),
      ),
    );
  return [first, ...rest];
}

/** Columns of the table, here and in the report. */
export const COLUMNS = [
  'method',
  'P',
  'fake-quant accuracy',
  'on P-bit accumulator',
  'overflows',
  'proved-safe P',
  'zero weights',
] as const;

/** The cells of a row, as people read them. */
export function cellsOf(row: DemoRow): string[] {
  const isFloat = row.accBits === null;
  return [
    METHOD_LABELS[row.method],
    isFloat ? '–' : String(row.accBits),
    percent(row.accuracy, 2),
    isFloat ? '–' : percent(row.accumulatorAccuracy, 2),
    isFloat ? '–' : row.overflows.toLocaleString('en-US'),
    isFloat ? '–' : String(row.provedAccBits),
    percent(row.sparsity),
  ];
}

/** Whether the accumulator is wide enough for what it was given. */
export function isSafe({ accBits, provedAccBits }: DemoRow): boolean {
  return accBits === null || provedAccBits === null || provedAccBits <= accBits;
}

/** The table for a terminal. */
export function textTable(rows: readonly DemoRow[]): string {
  const table = new Table({
    style: { head: [], border: [] },
    head: [...COLUMNS],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  for (const row of rows) {
    const cells = cellsOf(row);
    if (row.accumulatorAccuracy < row.accuracy) cells[3] = pc.red(cells[3]);
    if (row.overflows > 0) cells[4] = pc.red(cells[4]);
    if (!isSafe(row)) cells[5] = pc.red(cells[5]);
    table.push(cells);
  }
  return table.toString();
}
