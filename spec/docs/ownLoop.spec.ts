import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const page = await readFile(fileURLToPath(new URL('../../../docs/own-loop.md', import.meta.url)), 'utf8');
const scripts = Array.from(page.matchAll(/^```js\n\/\/ (\w+)\.mjs\n(.*?)^```/gms), ([, name, text]) => ({
  name,
  text,
}));

/** What the scripts print: losses that fall, an accuracy, an epoch gone on with, shapes. */
const PRINTS: Readonly<Record<string, RegExp>> = {
  loop: /^step 0: loss 0\.[4-9]\d+\n(step \d+: loss 0\.\d+\n){2}step 99: loss 0\.0\d+\n$/,
  data: /^1\n$/,
  saving: /^epoch 1: loss \d\.\d+\n$/,
  layers: /^\[ 1, 8, 16, 16 \]\n(\[ 1, 8, 8, 8 \]\n){2}\[ 1, 8, 4, 4 \]\n$/,
};

t.test('the scripts of docs/own-loop.md run as they stand, are short, and end', async (t) => {
  t.same(
    scripts.map(({ name }) => name),
    Object.keys(PRINTS),
  );
  const folder = t.testdir();
  for (const { name, text } of scripts) {
    const path = join(folder, `${name}.mjs`);
    await writeFile(path, text);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { cwd: folder, timeout: 60_000 });
    t.equal(stderr, '', name);
    t.match(stdout, PRINTS[name], name);
    t.ok(text.split('\n').length <= 26, `${name} is of few lines`);
  }
});
