import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const page = await readFile(fileURLToPath(new URL('../../../docs/scripts.md', import.meta.url)), 'utf8');

t.test('the script of docs/scripts.md runs as it stands, and ends', async (t) => {
  const script = /^```js\n(\/\/ train\.mjs\n.*?)^```/ms.exec(page)?.[1] ?? '';
  // Within the project, whose own name it imports.
  const path = join(t.testdir(), 'train.mjs');
  await writeFile(path, script);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { timeout: 60_000 });
  t.equal(stderr, '');
  t.match(stdout, /^accuracy [01]\.?\d*\n$/);
});
