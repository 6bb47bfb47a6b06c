import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { a2q, a2qAll, words } from './a2q.js';

const TRAIN = 'train --model cnn --dataset glyphs --train-images 32 --batch-size 16 --epochs 1 --limit-batches 1';

/** Formats of one's own: one that works and writes what it got, others that do not. */
const FORMATS = {
  'names.mjs': 'export default { encode: (layers, name) => [name, ...layers.map((l) => l.name)].join(" ") };',
  'failing.mjs': 'export default { encode() { throw new RangeError("on purpose"); } };',
  'number.mjs': 'export default { encode: () => 3 };',
  'none.mjs': 'export const other = 1;',
};

t.test('a run as JSON and in a format of one’s own', async (t) => {
  const folder = t.testdir(FORMATS);
  const run = join(folder, 'run');
  const trained = await a2q([...words(`${TRAIN} --threads 1 --method a2q+ --acc-bits 12 --out`), run]);
  t.equal(trained.code, 0, trained.stderr);
  const export_ = (format: string, out: string) => [...words('export --run'), run, '--format', format, '--out', out];
  const path = (name: string) => join(folder, name);

  t.test('what is written', async (t) => {
    const calls = [export_('json', path('net.json')), export_(path('names.mjs'), path('net'))];
    for (const { code, stderr } of await a2qAll(calls)) t.equal(code, 0, stderr);
    const { format, version, name, layers } = JSON.parse(await readFile(path('net.json'), 'utf8'));
    t.same([format, version, name], ['a2q-integers', 1, 'net']);
    const hidden = layers.find(({ accumulatorBits }: { accumulatorBits: number | null }) => accumulatorBits === 12);
    t.match(hidden, { weightBits: 4, input: { bits: 4, signed: false }, geometry: { groups: 1, resize: 1 } });
    t.ok(hidden.weights.every((q: number) => Number.isInteger(q) && Math.abs(q) <= 7));
    t.equal(
      hidden.weights.length,
      hidden.shape.reduce((a: number, b: number) => a * b),
    );
    t.equal(await readFile(path('net'), 'utf8'), ['net', ...layers.map((l: { name: string }) => l.name)].join(' '));
  });

  t.test('what cannot be written', async (t) => {
    const before = await readdir(folder);
    const out = path('out');
    const cases: (readonly [string[], number, RegExp])[] = [
      [export_('abacus', out), 2, /--format: there is no 'abacus'; choose one of json\n/],
      [export_(path('absent.mjs'), out), 2, /absent\.mjs cannot be loaded/],
      [export_(path('none.mjs'), out), 2, /none\.mjs has no default export with an encode function/],
      [export_(path('failing.mjs'), out), 1, /error: export: the format cannot encode .*RangeError: on purpose\n/],
      [export_(path('number.mjs'), out), 1, /error: export: encode must return a string or a Uint8Array\n/],
      [export_('json', folder), 1, /error: save: cannot write .*: a folder is in the way of the file\n/],
      [
        export_('json', join(folder, 'no', 'where')),
        1,
        /error: save: cannot write .*a folder on the way does not exist/,
      ],
    ];
    const calls = await a2qAll(cases.map(([args]) => args));
    for (const [i, [args, code, message]] of cases.entries()) {
      t.match(calls[i], { code, stderr: message }, args.join(' '));
    }
    t.same(await readdir(folder), before, 'nothing is left behind');
  });
});
