import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { decodeNetwork, encodeNetwork } from '../../lib/deploy/graph/file.js';
import { integerTensor } from '../../lib/deploy/graph/graph.js';
import { a2q, a2qAll, words } from './a2q.js';

const TRAIN = 'train --model cnn --dataset glyphs --train-images 64 --batch-size 16 --epochs 1 --limit-batches 2';

t.test('deploy, show, diff, export and import of one run', async (t) => {
  const folder = t.testdir();
  const path = (name: string) => join(folder, name);
  const [run, network] = [path('run'), path('net.a2q.safetensors')];
  t.match(await a2q([...words(`${TRAIN} --threads 1 --method a2q+ --acc-bits 10 --out`), run]), { code: 0 });
  const lines = [
    [...words('deploy --json --register-bits 8 --run'), run, '--out', network],
    [...words('deploy --json --requantization fixed --run'), run, '--out', path('fixed.st')],
    ['show', network, ...words('--json --out'), path('net.html')],
    ['diff', run, network, ...words('--json --images 8')],
    [...words('export --json --format integer-onnx --model'), network, '--out', path('net.onnx')],
    ['import', path('net.onnx'), ...words('--json --out'), path('back.st')],
    ['diff', network, path('back.st'), ...words('--json --dataset glyphs --images 8')],
  ];
  const calls = await a2qAll(lines);
  for (const [i, { code, stderr }] of calls.entries()) t.equal(code, 0, `${lines[i][0]}: ${stderr}`);
  const [deployed, fixed, shown, same, , imported, back] = calls.map(({ stdout }) =>
    stdout ? JSON.parse(stdout) : {},
  );

  t.match(deployed, { requantization: 'thresholds', layers: 4, largestError: 0 });
  const { layers } = deployed.registerGroups;
  const most = layers.map((layer: { readonly most: number | null }) => layer.most);
  t.same(most[0], null, 'bytes do not fit 8 bits');
  t.ok(most[1] >= 1 && most[1] <= 5, `${most[1]} groups for P = 10, N = 4`);
  t.match(fixed, { requantization: 'fixed' });
  t.ok(fixed.largestError <= 1);
  t.equal(shown.nodes.filter(({ layer }: { readonly layer: unknown }) => layer !== null).length, 4);
  t.match(await readFile(path('net.html'), 'utf8'), /<svg/);
  t.match(imported, { layers: [{}, {}, {}, {}] });

  // Whatever is compared, some integers are, and none differs.
  for (const each of [same, back]) {
    const values = each.layers as readonly { readonly compared: number; readonly differing: number }[];
    t.ok(values.reduce((sum, { compared }) => sum + compared, 0) > 10_000);
    t.equal(
      values.reduce((sum, { differing }) => sum + differing, 0),
      0,
    );
  }

  await t.test('a network that differs is told by its first value', async (t) => {
    const graph = decodeNetwork(await readFile(network), network);
    const changed = new Map(graph.tensors);
    const name = [...changed.keys()].find((key) => key.endsWith('conv.weight')) ?? '';
    const { shape, data } = changed.get(name) ?? integerTensor([0], []);
    changed.set(
      name,
      integerTensor(
        shape,
        data.map((q) => (q > 0 ? q - 1 : q)),
      ),
    );
    await writeFile(path('other.st'), encodeNetwork({ ...graph, tensors: changed }));
    const call = await a2q(['diff', network, path('other.st'), ...words('--dataset glyphs --images 4')]);
    t.equal(call.code, 1);
    t.match(call.stdout, /stages\.0\.conv/);
  });

  await t.test('what cannot be', async (t) => {
    await writeFile(path('noise.onnx'), 'no protobuf at all');
    const cases: (readonly [string[], number, RegExp])[] = [
      [['import', path('absent.onnx'), '--out', path('x')], 2, /absent\.onnx/],
      [['import', path('noise.onnx'), '--out', path('x')], 1, /error: .*noise\.onnx/],
      [['show', path('noise.onnx')], 1, /error: .*noise\.onnx/],
      [['diff', network, path('absent')], 2, /absent/],
      [['diff', network, network, ...words('--dataset glyphs --tolerance -1')], 2, /--tolerance/],
      [[...words('deploy --register-bits 1 --run'), run, '--out', path('x')], 2, /--register-bits/],
      [[...words('deploy --requantization odd --run'), run, '--out', path('x')], 2, /--requantization/],
      [[...words('deploy --run'), path('absent'), '--out', path('x')], 2, /absent holds no run/],
    ];
    const made = await a2qAll(cases.map(([line]) => line));
    for (const [i, { code, stderr }] of made.entries()) {
      t.equal(code, cases[i][1], cases[i][0].join(' '));
      t.match(stderr, cases[i][2]);
    }
  });
});
