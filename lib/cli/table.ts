import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import type { Output } from './output.js';

/** A column of a table; on a narrow terminal those of the highest `goes` go first. */
export interface Column<T> {
  readonly head: string;
  readonly goes: number;
  of(item: T): string | number;
}

/** Characters of a line where no terminal says how many it has. */
const WIDTH = 100;

/** Runs of equal values that are shown of a list. */
const SHOWN_RUNS = 12;

/** Characters of a line where results for people go. */
export function terminalWidth({ json }: Output): number {
  return (json ? process.stderr : process.stdout).columns ?? WIDTH;
}

/** The widest table that fits, without lines between its columns, and what was left out. */
export function fittedTable<T>(all: readonly Column<T>[], items: readonly T[], width: number): string {
  for (let most = 5; ; most--) {
    const columns = all.filter(({ goes }) => goes <= most);
    const rows = items.map((item) => columns.map(({ of }) => of(item)));
    const text = plainTable([columns.map(({ head }) => head), ...rows]);
    const widest = Math.max(...text.split('\n').map((line) => stripVTControlCharacters(line).length));
    if (widest > width && most > 0) continue;
    const left = all.filter((column) => !columns.includes(column)).map(({ head }) => head);
    return left.length === 0 ? text : `${text}\n(--json has more: ${left.join(', ')})`;
  }
}

function plainTable([head, ...rows]: readonly (readonly (string | number)[])[]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', left: '', right: '', middle: '  ' };
  const lines = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
  const bottom = { bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' };
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 };
  const table = new Table({ style, chars: { ...none, ...lines, ...bottom }, head: head.map(String) });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** `15 0×3 15 …`: equal neighbours together, the first `most` of them. */
export function runLengths(values: readonly number[], most = SHOWN_RUNS): string {
  const runs: { value: number; count: number }[] = [];
  for (const value of values) {
    const last = runs.at(-1);
    if (last?.value === value) last.count += 1;
    else runs.push({ value, count: 1 });
  }
  const shown = runs.slice(0, most).map(({ value, count }) => (count === 1 ? `${value}` : `${value}×${count}`));
  return [...shown, ...(runs.length > shown.length ? ['…'] : [])].join(' ');
}
