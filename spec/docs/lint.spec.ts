import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What a command of the project says of another tree. */
function run(cwd: string, script: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}${script}`, ...args], {
    cwd,
    encoding: 'utf8',
  });
  return { status, said: `${stdout}${stderr}` };
}

const cruise = (tree: string) =>
  run(
    tree,
    'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
    '--config',
    `${root}.dependency-cruiser.mjs`,
    'lib',
  );

t.test('imports: what is forbidden is found', async (t) => {
  const { status, said } = cruise(
    t.testdir({
      lib: {
        tensor: {
          'a.ts': "import type { B } from './b.js';\nexport interface A { b: B }\n",
          'b.ts': "import type { A } from './a.js';\nexport interface B { a: A }\n",
          'up.ts': "import type { K } from '../kernels/k.js';\nexport type Up = K;\n",
        },
        kernels: { 'k.ts': "export type K = import('./l.js').L;\n", 'l.ts': "export type { K as L } from './k.js';\n" },
        data: { 'sees.ts': "import type { K } from '../kernels/k.js';\nexport type S = K;\n" },
        attic: { 'q.ts': "export type { A } from '../tensor/a.js';\n" },
        'index.ts': "export type { K } from './kernels/k.js';\n",
        train: { 'root.ts': "export type { K } from '../index.js';\n" },
      },
    }),
  );
  t.not(status, 0);
  t.match(said, /no circle: lib\/tensor\/a\.ts/, 'by types alone');
  t.match(said, /no circle: lib\/kernels\/k\.ts/, 'by an inline import type');
  t.match(said, /lib\/tensor imports nothing else of lib: lib\/tensor\/up\.ts → lib\/kernels\/k\.ts/);
  t.match(said, /lib\/data imports tensor: lib\/data\/sees\.ts/);
  t.match(said, /lib\/train imports .*: lib\/train\/root\.ts → lib\/index\.ts/, 'the entries are above all rooms');
  t.match(said, /every room of lib stands in ROOMS: lib\/attic\/q\.ts/);
  t.match(said, /6 dependency violations/);
});

t.test('imports: what is allowed passes', async (t) => {
  const { status, said } = cruise(
    t.testdir({
      lib: {
        tensor: { 'a.ts': 'export interface A { a: 1 }\n' },
        nn: { 'n.ts': "export type { A } from '../tensor/a.js';\n" },
        cli: { 'c.ts': "export type { A } from '../nn/n.js';\n" },
      },
    }),
  );
  t.equal(status, 0, said);
});

t.test('lines: too long ones and too many of them are found', async (t) => {
  const tree = t.testdir({
    lib: { 'fits.ts': `//${'é'.repeat(118)}\n`, 'full.ts': '\n'.repeat(300), 'over.ts': '\n'.repeat(301) },
    docs: { 'wide.md': `one\n${'x'.repeat(121)}\n`, 'records.jsonl': `${'x'.repeat(121)}\n` },
    dist: { 'built.js': 'x'.repeat(121) },
  });
  const { status, said } = run(tree, 'scripts/lint-lines.mjs', tree);
  t.equal(status, 1);
  t.strictSame(said.trim().split('\n').sort(), [
    'docs/wide.md:2: 121 columns, at most 120',
    'lib/over.ts:301: 301 lines, at most 300',
  ]);
});
