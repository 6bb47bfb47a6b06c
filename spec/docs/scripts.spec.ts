import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';

/** Runs the script of that name as it stands on a page of docs. */
async function runScript(t: Test, page: string, name: string): Promise<string> {
  const text = await readFile(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  const [, script = ''] = new RegExp(`^\`\`\`js\\n(// ${name}\\n.*?)^\`\`\``, 'ms').exec(text) ?? [];
  // Within the project, whose own name it imports.
  const path = join(t.testdir(), name);
  await writeFile(path, script);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { timeout: 60_000 });
  t.equal(stderr, '');
  return stdout;
}

t.test('the script of docs/scripts.md runs as it stands, learns, and ends', async (t) => {
  const [, accuracy] = /^accuracy ([01]\.?\d*)\n$/.exec(await runScript(t, 'scripts.md', 'train.mjs')) ?? [];
  t.ok(Number(accuracy) > 0.5, `accuracy ${accuracy}`);
});

t.test('the script of docs/proof.md proves what it trained', async (t) => {
  const said = await runScript(t, 'proof.md', 'proof.mjs');
  t.match(said, /^conv2: P 12, safe from \d+, inputs by construction, proved true$/m);
  t.match(said, /^proved true$/m);
  const accuracy = Number(/^12 bits: accuracy (\S+), 0 overflows$/m.exec(said)?.[1]);
  t.ok(accuracy > 0.5, `accuracy ${accuracy}`);
  t.match(said, /^8 bits: accuracy \S+, [1-9]\d* overflows$/m);
});
