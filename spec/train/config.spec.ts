import t from 'tap';
import { DataError } from '../../lib/tensor/errors.js';
import { parseConfig, parseConfigText } from '../../lib/train/config.js';
import { tinyRun } from './runs.js';

t.test('a configuration survives its file', async (t) => {
  t.same(parseConfigText(JSON.stringify(tinyRun()), 'x'), tinyRun());
});

t.test('every wrong field is named', async (t) => {
  const bad = { ...tinyRun(), weightBits: 1, epochs: 0, extra: 1, start: { ...tinyRun().start, epInit: 'yes' } };
  t.throws(() => parseConfig(bad, 'run/config.json'), DataError);
  for (const part of [/^config: run\/config\.json: /, /weightBits: /, /epochs: /, /start\.epInit: /, /extra/]) {
    t.throws(() => parseConfig(bad, 'run/config.json'), { message: part });
  }
  t.throws(() => parseConfig({ ...tinyRun(), accumulatorBits: 33 }, 'x'), { message: /accumulatorBits/ });
  t.throws(() => parseConfig({ ...tinyRun(), schedule: { kind: 'step', stepSize: 0, gamma: 0.1 } }, 'x'), {
    message: /schedule\.stepSize/,
  });
  t.throws(() => parseConfig(null, 'x'), DataError);
  t.throws(() => parseConfigText('{"format":', 'run/config.json'), { message: /run\/config\.json is not JSON/ });
});
