import { execFile } from 'node:child_process';
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
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
const PLACES: Readonly<Record<string, number>> = {
  'A function of tensors': 1,
  'An elementwise primitive': 4,
  'A row with a fast path': 3,
  'A model': 2,
  'A data set': 2,
  'A method': 3,
  'A flag': 2,
  'A format': 1,
};

t.test('every recipe of CONTRIBUTING.md, applied to a copy that is compiled and run', async (t) => {
  const copy = t.testdir({});
  for (const part of ['lib', 'spec/autograd', 'spec/oracle', 'spec/oracle.ts', 'scripts', 'package.json']) {
    await cp(join(ROOT, part), join(copy, part), { recursive: true });
  }
  const config = await readFile(join(ROOT, 'tsconfig.json'), 'utf8');
  const include = ['lib/**/*.ts', 'spec/autograd/samples/*.ts'];
  await writeFile(join(copy, 'tsconfig.json'), JSON.stringify({ ...(JSON.parse(config) as object), include }));
  const found = await recipes();
  const table = await readFile(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  for (const [name, most] of Object.entries(PLACES)) {
    const recipe = found.find(({ title }) => title.startsWith(name));
    const places = recipe?.files.filter((file) => !file.startsWith('spec/')) ?? [];
    t.ok(places.length >= 1 && places.length <= most, `${name}: ${places.join(', ')}`);
    t.match(table, new RegExp(`^\\| ${name} \\| \\w+ \\| ${places.length} \\|$`, 'm'), 'the table says so');
  }
  for (const { diff } of found) await apply(diff, copy);
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  await t.resolves(run(process.execPath, ['scripts/build-wasm.mjs'], { cwd: copy }), 'the kernels compile');
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = run(process.execPath, [compiler, '-p', 'tsconfig.json', '--sourceMap', 'false'], { cwd: copy });
  await t.resolves(compiled, 'compiles');
  const program = `
    import { reciprocal, softplus, tensor } from './dist/lib/index.js';
    import { apply } from './dist/lib/autograd/tape.js';
    import { table } from './dist/lib/autograd/table.js';
    const x = tensor([-1, 0, 2]).withGrad();
    const y = apply(table.binarize, [x], {});
    y.backward(tensor([3, 4, 5]));
    const results = [softplus(tensor([0])), reciprocal(tensor([4])), y, x.grad];
    console.log(JSON.stringify((await Promise.all(results.map((each) => each.data()))).flatMap((data) => [...data])));
  `;
  const evaluated = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: copy });
  t.same(JSON.parse(evaluated.stdout), [Math.fround(Math.LN2), 0.25, -1, 1, 1, 3, 4, 0], 'functions and rows run');
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
  await run(process.execPath, ['dist/lib/cli/main.js', ...words('export --run run --format csv --out out.csv')], {
    cwd: copy,
  });
  t.match(await readFile(join(copy, 'out.csv'), 'utf8'), /^fc,0(,-?1|,0){64}\nfc,1,/, 'integers of the format');
});
