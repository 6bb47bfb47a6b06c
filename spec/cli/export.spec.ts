import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { a2q, a2qAll, words } from './a2q.js';

const TRAIN = 'train --model cnn --dataset glyphs --train-images 32 --batch-size 16 --epochs 1 --limit-batches 1';

/** Formats of one's own: one that works and writes what it got, others that do not. */
const FORMATS = {
  'names.mjs': 'export default { encode: ({ nodes }, { name }) => [name, ...nodes.map((n) => n.name)].join(" ") };',
  'two.mjs': 'export default { encode: () => new Map([[".a", "first"], [".b", Uint8Array.of(1)]]) };',
  'failing.mjs': 'export default { encode() { throw new RangeError("on purpose"); } };',
  'number.mjs': 'export default { encode: () => 3 };',
  'none.mjs': 'export const other = 1;',
};

/** Formats of the house; their file, or the first of them, goes by their name. */
const FILES = ['c', 'integer-onnx', 'qonnx', 'qcdq', 'qdq'];

interface JsonFile {
  readonly format: string;
  readonly version: number;
  readonly name: string;
  readonly nodes: readonly { readonly name: string; readonly accumulatorBits?: number; readonly weights?: string }[];
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;
}

t.test('a run as JSON and in a format of one’s own', async (t) => {
  const folder = t.testdir(FORMATS);
  const run = join(folder, 'run');
  const trained = await a2q([...words(`${TRAIN} --threads 1 --method a2q+ --acc-bits 12 --out`), run]);
  t.equal(trained.code, 0, trained.stderr);
  const export_ = (format: string, out: string) => [...words('export --run'), run, '--format', format, '--out', out];
  const path = (name: string) => join(folder, name);

  t.test('what is written', async (t) => {
    const network = path('net.a2q.safetensors');
    t.match(await a2q([...words('deploy --run'), run, '--out', network]), { code: 0 });
    const calls = [
      export_('json', path('net.json')),
      export_(path('names.mjs'), path('net')),
      export_(path('two.mjs'), path('parts.x')),
      [...words('export --format json --model'), network, '--out', path('again.json')],
      ...FILES.map((format) => [
        ...words('export --model'),
        network,
        '--format',
        format,
        '--out',
        path(`net.${format}`),
      ]),
    ];
    for (const { code, stderr } of await a2qAll(calls)) t.equal(code, 0, stderr);
    const text = await readFile(path('net.json'), 'utf8');
    const { format, version, name, nodes, tensors } = JSON.parse(text) as JsonFile;
    t.same([format, version, name], ['a2q-integers', 2, 'net']);
    const hidden = nodes.find(({ accumulatorBits }) => accumulatorBits === 12);
    t.match(hidden, { op: 'conv', weightBits: 4, groups: 1, resize: 1 });
    const { shape, data } = tensors[hidden?.weights ?? ''];
    t.ok(data.every((q) => Number.isInteger(q) && Math.abs(q) <= 7));
    t.equal(
      data.length,
      shape.reduce((a, b) => a * b),
    );
    t.equal(await readFile(path('net'), 'utf8'), ['net', ...nodes.map((node) => node.name)].join(' '));
    t.equal(await readFile(path('parts.a'), 'utf8'), 'first');
    t.same([...(await readFile(path('parts.b')))], [1]);
    t.same(JSON.parse(await readFile(path('again.json'), 'utf8')), { ...JSON.parse(text), name: 'again' });
    for (const format of FILES) t.ok((await readFile(path(`net.${format}`))).length > 1000, format);
  });

  t.test('what cannot be written', async (t) => {
    const before = await readdir(folder);
    const out = path('out');
    const cases: (readonly [string[], number, RegExp])[] = [
      [export_('abacus', out), 2, /--format: there is no 'abacus'; choose one of .*json.*\n/],
      [export_(path('absent.mjs'), out), 2, /absent\.mjs cannot be loaded/],
      [export_(path('none.mjs'), out), 2, /none\.mjs has no default export with an encode function/],
      [export_(path('failing.mjs'), out), 1, /error: export: the format cannot encode .*RangeError: on purpose\n/],
      [export_(path('number.mjs'), out), 1, /error: export: encode must return a string or a Uint8Array, or a Map of/],
      [export_('json', folder), 1, /error: save: cannot write .*: a folder is in the way of the file\n/],
      [
        export_('json', join(folder, 'no', 'where')),
        1,
        /error: save: cannot write .*a folder on the way does not exist/,
      ],
    ];
    const model = ['--format', 'json', '--out', out, '--model'];
    cases.push(
      [['export', ...model, path('absent')], 2, /--model: there is no file/],
      [['export', ...model, path('none.mjs')], 1, /none\.mjs.*not a safetensors file|safetensors/],
      [['export', ...model, path('none.mjs'), '--run', run], 2, /--model stands in place of a run/],
      [['export', ...model.slice(0, 4)], 2, /name --run FOLDER, --checkpoint FILE or --model FILE/],
      [[...export_('qonnx', out), '--op-name', 'Q'], 2, /--op-name.*Quant, IntQuant/],
    );
    const calls = await a2qAll(cases.map(([args]) => args));
    for (const [i, [args, code, message]] of cases.entries()) {
      t.match(calls[i], { code, stderr: message }, args.join(' '));
    }
    t.same(await readdir(folder), before, 'nothing is left behind');
  });
});
