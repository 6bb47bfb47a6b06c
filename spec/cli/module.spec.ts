import { readdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import t from 'tap';
import { a2q, a2qAll, words } from './a2q.js';

const INDEX = new URL('../../lib/index.js', import.meta.url).href;

/** A classifier of one's own: a convolution of eight channels, a hidden one behind it, and a linear layer. */
const MODEL = `
import { globalAvgPool2d, Module, reshape } from ${JSON.stringify(INDEX)};

class Tiny extends Module {
  constructor(make, { inputShape: [channels], classes, signed }) {
    super();
    this.input = make.input({ signed });
    this.conv1 = make.conv2d(channels, 8, 3, { role: 'first', input: this.input, padding: 1, stride: 2 });
    this.act1 = make.relu();
    this.conv2 = make.conv2d(8, 8, 3, { role: 'hidden', input: this.act1, padding: 1, stride: 2 });
    this.act2 = make.relu({ feeds: 'last' });
    this.fc = make.linear(8, classes, { role: 'last', input: this.act2 });
  }
  forward(x) {
    const h = this.act1.forward(this.conv1.forward(this.input.forward(x)));
    const y = globalAvgPool2d(this.act2.forward(this.conv2.forward(h)));
    return this.fc.forward(reshape(y, [y.shape[0], -1]));
  }
}
export default (make, shape) => new Tiny(make, shape);
`;

const FLAGS = '--dataset glyphs --train-images 64 --batch-size 8 --limit-batches 2 --threads 1';

t.test('a model of one’s own: train, resume, eval, audit', async (t) => {
  const folder = t.testdir({ 'my-model.mjs': MODEL });
  const [file, run] = [join(folder, 'my-model.mjs'), join(folder, 'runs', 'mine')];
  const flags = `train ${FLAGS} --method a2q+ --acc-bits 12 --epochs 1 --json --module`;
  const trained = await a2q([...words(flags), file, '--out', run]);
  t.equal(trained.code, 0, trained.stderr);
  const said = trained.stderr.replaceAll(/\s+/g, ' ');
  t.match(said, `--module ${relative(process.cwd(), file)} `, 'as one would type it here');
  const { config } = JSON.parse(trained.stdout);
  t.match(config, { module: '../../my-model.mjs', epochs: 1, batchSize: 8, optimizer: { type: 'adam' } });
  t.notOk('model' in config);
  const resumed = await a2q(['train', '--resume', '--epochs', '2', '--threads', '1', '--json', '--out', run]);
  t.equal(resumed.code, 0, resumed.stderr);
  t.match(JSON.parse(resumed.stdout), { position: { epoch: 2 } });
  const measured = await a2q([...words('eval --limit-batches 1 --threads 1 --json --run'), run]);
  t.match(JSON.parse(measured.stdout), { model: '../../my-model.mjs', samples: 8 });
  const audited = await a2q([...words('audit --json --run'), run]);
  t.equal(audited.code, 0, audited.stderr);
  t.same(
    JSON.parse(audited.stdout).layers.map(({ layer, proved }: { layer: string; proved: boolean | null }) => [
      layer,
      proved,
    ]),
    [
      ['conv1', null],
      ['conv2', true],
      ['fc', null],
    ],
  );
  await writeFile(file, 'export const other = 1;');
  t.match(await a2q(['audit', '--run', run]), { code: 1, stderr: /my-model\.mjs exports no function/ });
});

t.test('files that make no model', async (t) => {
  const folder = t.testdir({
    'none.mjs': 'export const build = 3;',
    'object.mjs': 'export function build() { return { forward() {} }; }',
    'nothing.mjs': 'export default () => undefined;',
    'broken.mjs': 'import "./absent.mjs";',
    'failing.mjs': 'export default () => { throw new RangeError("on purpose"); };',
  });
  const cases: (readonly [string, RegExp])[] = [
    ['absent.mjs', /module: there is no file .*absent\.mjs/],
    ['none.mjs', /none\.mjs exports no function, neither as default nor as build/],
    ['object.mjs', /function of .*object\.mjs returned an object of class Object, not a Module/],
    ['nothing.mjs', /function of .*nothing\.mjs returned undefined, not a Module/],
    ['failing.mjs', /module: the function of .*failing\.mjs failed: RangeError: on purpose, at .*failing\.mjs:1\n/],
    ['broken.mjs', /cannot load .*broken\.mjs: .*absent\.mjs/],
  ];
  const line = (file: string) => [...words(`train ${FLAGS} --method float --module`), join(folder, file)];
  const calls = await a2qAll(cases.map(([file]) => [...line(file), '--out', join(folder, 'run')]));
  for (const [i, [file, message]] of cases.entries()) {
    t.equal(calls[i].code, 2, file);
    t.match(calls[i].stderr, message);
  }
});

t.test('a fault of the user’s module is told as that, and leaves the folder free', async (t) => {
  const lineOf = (text: string, word: string) => text.slice(0, text.indexOf(word)).split('\n').length;
  const forward = MODEL.replace('return this.fc', 'y.flatten(); return this.fc');
  const quantizer = MODEL.replace('this.fc = ', 'this.conv2.weightQuant.quantize = (w) => w.inTheGrid(); this.fc = ');
  const folder = t.testdir({ 'forward.mjs': forward, 'quantizer.mjs': quantizer });
  const out = join(folder, 'run');
  const line = words(`train ${FLAGS} --method a2q+ --acc-bits 12 --epochs 1 --json --out ${out} --module`);
  for (const [name, text, word] of [
    ['forward.mjs', forward, 'flatten'],
    ['quantizer.mjs', quantizer, 'inTheGrid'],
  ]) {
    const { code, stdout, stderr } = await a2q([...line, join(folder, name)]);
    t.equal(code, 1, name);
    t.match(stderr, `${word} is not a function\nit arose in ${join(folder, name)}:${lineOf(text, word)}, which is not`);
    t.notMatch(stderr, 'a fault of a2q');
    t.match(JSON.parse(stdout), { error: { message: `(${join(folder, name)}:${lineOf(text, word)})` } });
    t.same((await readdir(folder)).sort(), ['forward.mjs', 'quantizer.mjs'], 'nothing is left');
  }
  await writeFile(join(folder, 'forward.mjs'), MODEL);
  t.match(await a2q([...line, join(folder, 'forward.mjs')]), { code: 0 }, 'mended, it trains there');
});
