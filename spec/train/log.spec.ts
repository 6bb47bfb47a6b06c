import t from 'tap';
import { formatLog, type LogLine, parseLog } from '../../lib/train/log.js';

const line: LogLine = {
  ...{ epoch: 0, step: 5, loss: 2.25, penalty: 0, learningRate: 0.1, testLoss: 2, testMetric: 0.5 },
  ...{ metricName: 'accuracy', msPerStep: 1.5, seconds: 0.01, backend: 'wasm', batchesMadeIn: 'worker' },
};
const lines = [line, { ...line, epoch: 1, testLoss: Number.NaN, note: 'kept' }];
const text = formatLog(lines);

t.test('what is written is read, NaN and later fields included', async (t) => {
  t.same(parseLog(text, 'x'), lines);
  t.same(parseLog('', 'x'), []);
});

t.test('a last line that was cut off is left out', async (t) => {
  t.same(parseLog(text.slice(0, -1), 'x'), lines, 'only its line break is gone');
  t.same(parseLog(text.slice(0, -2), 'x'), lines.slice(0, 1));
});

t.test('a damaged line is named', async (t) => {
  const [first] = text.split('\n');
  const without = JSON.stringify({ ...line, loss: undefined });
  for (const bad of [
    'null',
    '',
    '3',
    '[]',
    '{}',
    first.slice(0, -1),
    first.replace('"epoch":0', '"epoch":-1'),
    without,
  ]) {
    const message = 'log: run/log.jsonl: line 2 is damaged; mend it, or delete it to go on without that epoch';
    t.throws(() => parseLog(`${first}\n${bad}\n${text}`, 'run/log.jsonl'), { name: 'DataError', message }, bad);
  }
});
