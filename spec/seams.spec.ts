import { execFile } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { words } from './cli/a2q.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/**
 * Applies a diff without line numbers: what a hunk removes or keeps must be found once in its file.
 * @throws Error naming the file and the lines that are not there, or there more than once
 */
async function apply(diff: string, folder: string): Promise<void> {
  for (const part of diff.split(/^--- /m).slice(1)) {
    const [from, to, ...lines] = part.split('\n');
    const path = join(folder, to.replace('+++ b/', ''));
    let text = from === '/dev/null' ? '' : await readFile(path, 'utf8');
    for (const hunk of lines.join('\n').split('@@\n').slice(1)) {
      const rows = hunk.split('\n').filter((row) => row !== '');
      const side = (mark: string) => rows.filter((row) => row[0] !== mark).map((row) => `${row.slice(1)}\n`);
      const [before, after] = [side('+').join(''), side('-').join('')];
      if (before !== '' && text.split(before).length !== 2) throw new Error(`not once in ${to}:\n${before}`);
      text = before === '' ? text + after : text.replace(before, () => after);
    }
    await writeFile(path, text);
  }
}

/** The recipes of CONTRIBUTING.md: sections with a diff. */
async function recipes(): Promise<{ title: string; diff: string; files: string[] }[]> {
  const text = await readFile(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  return text.split(/^### /m).flatMap((section) => {
    const [title] = section.split('\n');
    const diff = /^```diff\n(.*?)^```/ms.exec(section)?.[1];
    const files = Array.from(diff?.matchAll(/^\+\+\+ b\/(.*)$/gm) ?? [], ([, file]) => file);
    return diff === undefined ? [] : [{ title, diff, files }];
  });
}

/** The most files that each recipe may touch. */
const PLACES: Readonly<Record<string, number>> = { 'A model': 2, 'A data set': 2, 'A method': 3, 'A flag': 2 };

t.test('every recipe of CONTRIBUTING.md, applied to a copy that is compiled and run', async (t) => {
  const copy = t.testdir({});
  await cp(join(ROOT, 'lib'), join(copy, 'lib'), { recursive: true });
  for (const file of ['package.json', 'tsconfig.json']) await cp(join(ROOT, file), join(copy, file));
  const found = await recipes();
  for (const [name, most] of Object.entries(PLACES)) {
    const recipe = found.find(({ title }) => title.startsWith(name));
    t.ok(recipe && recipe.files.length <= most, `${name}: ${recipe?.files.join(', ')}`);
  }
  for (const { diff } of found) await apply(diff, copy);
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = run(process.execPath, [compiler, '-p', 'tsconfig.json', '--sourceMap', 'false'], { cwd: copy });
  await t.resolves(compiled, 'compiles');
  const flags =
    '--model softmax --dataset stripes --period 6 --method ternary --keep-epochs --epochs 1 --threads 1 --json';
  const { stdout } = await run(process.execPath, ['dist/lib/cli/main.js', ...words(`train ${flags} --out run`)], {
    cwd: copy,
  });
  t.match(JSON.parse(stdout), {
    config: { model: 'softmax', dataset: { name: 'stripes', period: 6 }, method: 'ternary', keepEpochs: true },
    position: { epoch: 1 },
  });
  const kept = await readFile(join(copy, 'run', 'epoch-1.safetensors'));
  const best = await readFile(join(copy, 'run', 'best.safetensors'));
  t.ok(kept.length > 0.9 * best.length, 'the model of the epoch is kept');
});
