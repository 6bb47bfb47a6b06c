/**
 * No line above 120 columns in any text file, no file of lib above 300 lines. Prints each failure as file:line.
 * `node scripts/lint-lines.mjs [DIRECTORY]`, part of `npm run lint`.
 */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { texts } from './texts.mjs';

const COLUMNS = 120;
const LINES = 300;

const root = process.argv[2] ?? join(import.meta.dirname, '..');

function fail(file, line, message) {
  process.exitCode = 1;
  console.error(`${file}:${line}: ${message}`);
}

for (const path of texts(root)) {
  const file = relative(root, path);
  const lines = readFileSync(path, 'utf8').replace(/\n$/, '').split('\n');
  for (const [i, line] of lines.entries()) {
    const columns = [...line].length;
    if (columns > COLUMNS) fail(file, i + 1, `${columns} columns, at most ${COLUMNS}`);
  }
  if (/^lib\b/.test(file) && lines.length > LINES) fail(file, LINES + 1, `${lines.length} lines, at most ${LINES}`);
}
