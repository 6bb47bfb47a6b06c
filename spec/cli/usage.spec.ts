import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { a2q, a2qAll, words } from './a2q.js';

/**
 * Command lines that must fail before any work starts: exit code 2 and a message. `OUT` is a folder that is not
 * there.
 */
const REFUSED: readonly (readonly [line: string, message: RegExp])[] = [
  ['', /Usage: a2q/],
  ['frobnicate', /unknown command 'frobnicate'/],
  ['bounds --weight-bits 4 --act-bits 4', /required option '--k <K>'/],
  ['bounds --weight-bits 40 --act-bits 4 --k 9', /'--weight-bits <M>' argument '40' is invalid.*from 2 to 32/],
  ['bounds --weight-bits 4 --act-bits 4 --k 1.5', /'--k <K>' argument '1.5' is invalid.*integer of at least 1/],
  ['bounds --weight-bits 4 --act-bits 4 --k 9 --frob', /unknown option '--frob'/],
  ['bounds --weight-bit 4 --act-bits 4 --k 9', /unknown option '--weight-bit'\n\(Did you mean --weight-bits\?\)/],
  ['train --model cnn --dataset glyphs --outt OUT', /unknown option '--outt'/],
  ['info extra', /too many arguments/],
  ['train --model cnn --dataset glyphs --method float', /required option '--out <folder>'/],
  ['train --out OUT', /--dataset is missing/],
  ['train --dataset glyphs --out OUT', /--model is missing/],
  ['train --model cnn --dataset glyphs --out OUT', /--method is missing/],
  ['train --model vgg --dataset glyphs --method float --out OUT', /Allowed choices are espcn, cnn/],
  ['train --model cnn --dataset glyphs --method a2q+ --out OUT', /--acc-bits is missing; --method a2q\+ needs it/],
  ['train --model cnn --dataset glyphs --method a2q+ --acc-bits 4 --out OUT', /cannot hold any weight.*use P ≥ 5/],
  ['train --model cnn --dataset glyphs --method a2q --acc-bits 33 --out OUT', /from 2 to 32/],
  ['train --model cnn --dataset glyphs --method qat --weight-bits 1 --out OUT', /from 2 to 16/],
  [
    'train --model cnn --dataset glyphs --method qat --acc-bits 12 --out OUT',
    /--acc-bits has no meaning for --method qat/,
  ],
  ['train --model cnn --dataset glyphs --method float --act-bits 4 --out OUT', /--act-bits has no meaning/],
  ['train --model espcn --dataset glyphs --method float --out OUT', /espcn: trains on pairs of images/],
  ['train --model mobilenetv1 --dataset glyphs --method float --out OUT', /wants RGB images/],
  [
    'train --model cnn --dataset glyphs --method float --factor 2 --out OUT',
    /--factor has no meaning for --dataset glyphs \(it is for bsd300\)/,
  ],
  ['train --model cnn --dataset glyphs --method float --lr 0 --out OUT', /must be a number above 0/],
  ['train --model cnn --dataset glyphs --method float --lr abc --out OUT', /must be a number above 0/],
  [
    'train --model cnn --dataset glyphs --method float --optimizer adam --momentum 0.9 --out OUT',
    /--momentum has no meaning for --optimizer adam/,
  ],
  ['train --model cnn --dataset glyphs --method float --schedule step:0:2 --out OUT', /It must be constant, cosine/],
  ['train --model cnn --dataset glyphs --method float --epochs 0 --out OUT', /integer of at least 1/],
  ['train --model cnn --dataset glyphs --method float --init-from /nowhere --out OUT', /neither a file nor the folder/],
  ['train --model cnn --dataset glyphs --method float --backend tpu --out OUT', /Allowed choices are wasm, reference/],
  ['train --model cnn --dataset glyphs --method float --backend reference --threads 2 --out OUT', /has one thread/],
  ['train --model cnn --dataset glyphs --method float --threads 0 --out OUT', /from 1 to 64/],
  ['train --model cnn --dataset cifar10 --method float --out OUT', /pass --data-dir DIR or set A2Q_DATA_DIR/],
  ['train --model cnn --dataset cifar10 --method float --data-dir /nowhere --out OUT', /there is no folder \/nowhere/],
  ['train --resume --out OUT', /--resume: .* holds no run/],
  ['eval', /name either --run FOLDER or --checkpoint FILE/],
  ['eval --run OUT', /holds no run/],
  ['eval --checkpoint OUT', /--checkpoint: there is no file/],
  ['audit --run OUT --checkpoint OUT', /name either --run FOLDER or --checkpoint FILE/],
  ['audit --checkpoint OUT --last', /--last goes with --run/],
];

t.test('bad usage', async (t) => {
  const folder = t.testdir({ 'a file': '' });
  const out = join(folder, 'out');
  const calls = await a2qAll(REFUSED.map(([line]) => words(line).map((word) => (word === 'OUT' ? out : word))));
  for (const [i, [line, message]] of REFUSED.entries()) {
    const { code, stdout, stderr } = calls[i];
    t.equal(code, 2, `exit code of: a2q ${line}`);
    t.match(stderr, message, `message of: a2q ${line}`);
    t.equal(stdout, '', 'nothing on standard output');
  }
  t.same(await readdir(folder), ['a file'], 'nothing was made');
});

t.test('folders that cannot be written', async (t) => {
  const folder = t.testdir({ file: 'x' });
  const paths: (readonly [string, RegExp])[] = [
    [join(folder, 'file'), /cannot write .*file: a file is in the way/],
    [join(folder, 'file', 'run'), /cannot write .*run: a file is in the way/],
  ];
  if (process.platform === 'linux')
    paths.push(['/proc/a2q', /cannot write \/proc\/a2q/], ['/dev/full', /cannot write/]);
  const train = words('train --model cnn --dataset glyphs --method float --out');
  const calls = await a2qAll(paths.map(([path]) => [...train, path]));
  for (const [i, [path, message]] of paths.entries()) {
    t.equal(calls[i].code, 2, path);
    t.match(calls[i].stderr, message, path);
  }
});

t.test('with --json errors are JSON too', async (t) => {
  const wrong = await a2q(words('eval --json'));
  t.same([wrong.code, JSON.parse(wrong.stdout).error.type], [2, 'UsageError']);
  const unknown = await a2q(words('info --json --frob'));
  t.match(JSON.parse(unknown.stdout), { error: { type: 'UsageError', message: /unknown option '--frob'/ } });
});

t.test('help and version are no errors', async (t) => {
  const [help, version, train] = await Promise.all([a2q(['--help']), a2q(['--version']), a2q(['train', '--help'])]);
  t.same([help.code, version.code, train.code], [0, 0, 0]);
  for (const command of ['info', 'bounds', 'train', 'eval', 'audit']) t.match(help.stdout, command);
  t.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  t.match(train.stdout, '--acc-bits <P>');
});
