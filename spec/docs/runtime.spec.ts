import { readFileSync } from 'node:fs';
import t from 'tap';
import * as runtime from '../../lib/runtime.js';

const page = readFileSync(new URL('../../../docs/runtime.md', import.meta.url), 'utf8');

t.test('docs/runtime.md names every export of a2q.js/runtime, and calls none that is not there', async (t) => {
  const named = new Set(Array.from(page.matchAll(/`(\w+)(?:\([^`]*\))?`/g), ([, name]) => name));
  for (const name of Object.keys(runtime)) t.ok(named.has(name), name);
  const called = Array.from(page.matchAll(/^\| (`.*?) \|/gm), ([, cell]) => cell).flatMap((cell) =>
    Array.from(cell.matchAll(/`(\w+)/g), ([, name]) => name),
  );
  t.strictSame(
    called.filter((name) => !Object.hasOwn(runtime, name)),
    [],
  );
  t.ok(called.length >= 10);
});
