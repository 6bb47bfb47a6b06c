/**
 * No line above 120 columns in any text file, no file of lib above 300 lines; generated files, lock files and records
 * (.jsonl) aside. Prints each failure as file:line. `node scripts/lint-lines.mjs [DIRECTORY]`, part of `npm run lint`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';

const COLUMNS = 120;
const LINES = 300;
const TEXTS = ['.ts', '.mjs', '.js', '.md', '.json', '.css', '.html', '.sh', '.py', '.yml', ''];
const SKIPPED_FOLDERS = /^(node_modules|dist.*|runs|shared|\.git|\.tap)$/;
const SKIPPED_FILES = /^(package-lock\.json|\.git|.*\.generated\.ts)$/;

const root = process.argv[2] ?? join(import.meta.dirname, '..');

/** Addresses of all text files under a directory. */
function* texts(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !SKIPPED_FOLDERS.test(entry.name)) yield* texts(path);
    if (entry.isFile() && TEXTS.includes(extname(entry.name)) && !SKIPPED_FILES.test(entry.name)) yield path;
  }
}

let failures = 0;
function fail(file, line, message) {
  failures += 1;
  console.error(`${file}:${line}: ${message}`);
}

for (const path of texts(root)) {
  const file = relative(root, path).replaceAll('\\', '/');
  const lines = readFileSync(path, 'utf8').replace(/\n$/, '').split('\n');
  for (const [i, line] of lines.entries()) {
    const columns = [...line].length;
    if (columns > COLUMNS) fail(file, i + 1, `${columns} columns, at most ${COLUMNS}`);
  }
  if (file.startsWith('lib/') && lines.length > LINES) fail(file, LINES + 1, `${lines.length} lines, at most ${LINES}`);
}
if (failures > 0) process.exit(1);
