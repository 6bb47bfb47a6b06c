import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { compile, type Example, findExamples, importable, toModule } from './exampleModules.js';
import { check, statedValue } from './exampleValues.js';

t.setTimeout(120_000);

const root = fileURLToPath(new URL('../../../', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const NAMES = importable(join(root, 'dist/lib/index.d.ts'));

/** Writes modules beside this file, from where `a2q.js` is the package itself, and compiles them. */
function build(t: Test, modules: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(here, 'examples-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, `${name}.ts`), text);
  const complaints = compile(
    folder,
    Object.keys(modules).map((name) => `${name}.ts`),
    join(root, 'tsconfig.json'),
  );
  return { complaints, run: (name: string) => import(pathToFileURL(join(folder, `${name}.js`)).href) };
}

const moduleOf = (example: Example) => toModule(example, NAMES, '../exampleValues.js');

t.test('every example in lib compiles, runs and gives what it states', async (t) => {
  const sources = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file, readFileSync(join(root, 'lib', file), 'utf8')] as const);
  const examples = sources.flatMap(([file, text]) => findExamples(text, `lib/${file}`));
  const tags = sources.reduce((count, [, text]) => count + text.split('@example').length - 1, 0);
  t.equal(examples.length, tags, 'no tag without code');
  t.ok(tags >= 20, `${tags} examples`);

  const modules = examples.map(moduleOf);
  const named = modules.map(({ text }, i) => [`example${i}`, text] as const);
  const worker = examples.findIndex(({ code }) => code.includes('glyphs.worker.ts'));
  const { complaints, run } = build(
    t,
    Object.fromEntries([...named, ['glyphs.worker', `import './example${worker}.js';`]]),
  );
  t.strictSame(complaints, [], examples.map(({ place }, i) => `example${i} is ${place}`).join(', '));
  for (const [i, { place }] of examples.entries()) {
    await t.resolves(run(`example${i}`), `${place}: ${modules[i].values} values`);
  }
});

/** A source whose comment holds the given example. */
const commented = (...lines: string[]) =>
  ['/**', ' * @example', ...lines.map((line) => ` * ${line}`), ' */', ''].join('\n');

t.test('a broken example is found', async (t) => {
  const [wrong] = findExamples(commented('const x = tensor([1, 2]);', 'x.shape; // [3]'), 'a.ts');
  const [right] = findExamples(`\n${commented('tensor([1, 2]).shape; // [2]')}`, 'b.ts');
  const [throws] = findExamples(commented('tensor([1, 2], [3]);'), 'c.ts');
  const [mistyped] = findExamples(commented("tensor('two');", 'nothing.there;'), 'd.ts');
  t.equal(right.place, 'b.ts:3');
  const { complaints, run } = build(t, {
    wrong: moduleOf(wrong).text,
    right: moduleOf(right).text,
    throws: moduleOf(throws).text,
    mistyped: moduleOf(mistyped).text,
  });
  await t.rejects(run('wrong'), { message: 'got [2], stated [3]' });
  await t.resolves(run('right'));
  await t.rejects(run('throws'), { message: /tensor/ });
  t.match(complaints, [/mistyped\.ts:3: .*Argument of type 'string'/s, /mistyped\.ts:4: Cannot find name 'nothing'/]);
  t.equal(complaints.length, 2);
  t.throws(() => moduleOf({ place: 'e.ts:1', code: 'const x = 1; // 1\n' }), { message: /^e\.ts:1: 1 values, but 0/ });
});

t.test('blocks end where their comment or the next tag does', async (t) => {
  const text = ['/**', ' * @example', ' * one();', ' *', ' * two();', ' * @throws never', ' */', '/** @example */', ''];
  t.strictSame(findExamples(text.join('\n'), 'f.ts'), [{ place: 'f.ts:2', code: 'one();\n\ntwo();\n' }]);
});

t.test('what counts as a value, and when it holds', async (t) => {
  const stated = ['45', ' 4368.93…', "['a', −1.5]: words", 'true', '1e-5', '19: ResNet18', '[[1], [2]]'];
  t.strictSame(stated.map(statedValue), ['45', '4368.93…', "['a', −1.5]", 'true', '1e-5', '19', '[[1], [2]]']);
  for (const prose of ['', 'shape [2]', 'M = 4', '4 bits', 'trueish', '3.5 or so'])
    t.equal(statedValue(prose), undefined);

  check(4368.934, '4368.93…');
  check(-0.75, '−0.75');
  check(Float32Array.of(0.1, 2), '[0.1, 2]');
  check([['a'], null], "[['a'], null]");
  const unequal: [unknown, string][] = [
    [4368.929, '4368.93…'],
    [4368.94, '4368.93…'],
    [-4368.934, '4368.93…'],
    ['1', '1'],
    [1.00001, '1'],
    [[1, 2], '[1]'],
    [1, '[1]'],
    [Number.NaN, '0'],
    [undefined, 'null'],
  ];
  for (const [got, value] of unequal)
    t.throws(() => check(got, value), { message: /stated/ }, `${got} is not ${value}`);
});
