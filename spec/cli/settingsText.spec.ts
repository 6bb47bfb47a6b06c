import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { aboutSetting, settingsPage } from '../../lib/cli/settingsText.js';
import { SETTINGS } from '../../lib/train/settings.js';
import { a2q } from './a2q.js';

const PAGE = fileURLToPath(new URL('../../../docs/settings.md', import.meta.url));

t.test('the page of settings is that of the schema', async (t) => {
  const made = await readFile(PAGE, 'utf8');
  t.equal(made, settingsPage(), 'else run: npm run docs:settings');
  for (const line of made.split('\n')) t.ok(line.length <= 120, line);
});

t.test('help shows every default', async (t) => {
  const { code, stdout } = await a2q(['train', '--help']);
  t.equal(code, 0);
  const text = stdout.replaceAll(/\s+/g, ' ');
  for (const part of [
    '--weight-bits <M> bits of hidden weights, with --method qat, a2q, a2q+ (default: 4)',
    '--no-ep-init leave first weights as they are',
    '--factor <r> up-scaling factor of super-resolution, with --dataset bsd300 (default: 3)',
    '--weight-decay <share> pull toward zero of weights alone, not of biases, norms, scales and thresholds ' +
      '(default: 0.00001)',
    '--lr <rate> learning rate (default: by model and data set, below)',
    'resnet18 on cifar10 from a checkpoint: --no-he-init --calibration-images 1000 --optimizer sgd --lr 0.001 ' +
      '--schedule step:30:0.1 --epochs 100 --batch-size 256',
    'a2q+ the same with centred weights',
  ]) {
    t.ok(text.includes(part), part);
  }
});

t.test('no setting is called required that may be left out', async (t) => {
  const optional = SETTINGS.filter(({ optional, when }) => optional && when === undefined);
  t.ok(optional.length > 3);
  for (const each of optional) t.notMatch(aboutSetting(each), 'required', each.flag);
});

t.test('the JSON Schema is printed', async (t) => {
  const { code, stdout, stderr } = await a2q(['train', '--schema']);
  t.same([code, stderr], [0, '']);
  t.match(JSON.parse(stdout), { type: 'object', properties: { epochs: { type: 'integer', minimum: 1 } } });
});
