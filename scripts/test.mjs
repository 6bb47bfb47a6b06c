/**
 * Runs the specs (`npm test`), or those named as arguments, and says at the end what was skipped and why: tap's terse
 * reporter does not.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const results = join(root, '.tap/test-results');

/** The tests of a TAP file that were skipped: the line that says so, with its reason, is at the end of each. */
export function skippedIn(tap) {
  return [...tap.matchAll(/^\s*ok \d+ - (.*?)(?: # time=\S+)? # SKIP *(.*)$/gm)].map(([, name, reason]) => {
    return { name: name.replaceAll('\\#', '#'), reason: reason || 'no reason given' };
  });
}

/** What was skipped, a line each reason. @param found { file, name, reason } of each test */
export function skipSummary(found) {
  const reasons = new Map();
  for (const { reason, ...test } of found) reasons.set(reason, [...(reasons.get(reason) ?? []), test]);
  const lines = [...reasons].map(([reason, tests]) => {
    const files = [...new Set(tests.map(({ file }) => file))];
    return `  ${tests.length} × ${reason} (${files.join(', ')})`;
  });
  return [found.length === 0 ? 'nothing was skipped' : `skipped, ${found.length} in all:`, ...lines].join('\n');
}

function skippedTests() {
  if (!existsSync(results)) return [];
  const files = readdirSync(results, { recursive: true }).filter((file) => file.endsWith('.tap'));
  return files.flatMap((name) => {
    const file = relative('dist', name).replace(/\.js\.tap$/, '.ts');
    return skippedIn(readFileSync(join(results, name), 'utf8')).map((test) => ({ file, ...test }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(results, { recursive: true, force: true });
  const tap = join(root, 'node_modules/.bin/tap');
  const { status } = spawnSync(tap, process.argv.slice(2), { cwd: root, stdio: 'inherit' });
  console.log(skipSummary(skippedTests()));
  process.exitCode = status ?? 1;
}
