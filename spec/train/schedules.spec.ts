import t from 'tap';
import { DataError } from '../../lib/tensor/errors.js';
import { formatSchedule, parseSchedule } from '../../lib/train/schedules.js';

t.test('every form, and back', async (t) => {
  for (const text of ['constant', 'cosine', 'exponential:0.999', 'step:30:0.1', 'multistep:30,50:0.1']) {
    t.equal(formatSchedule(parseSchedule(text)), text);
  }
});

t.test('other texts are refused, names that every object has included', async (t) => {
  const texts = ['', 'step', 'step:0:0.1', 'constant:1', 'exponential:', 'multistep::0.1', 'exponential:2'];
  for (const text of [...texts, 'constructor', '__proto__', 'toString:1', 'valueOf:1:2']) {
    t.throws(() => parseSchedule(text), DataError, text);
  }
});
