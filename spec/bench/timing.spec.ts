import t from 'tap';
import { sunk, timeInterleaved, timingOf } from '../../bench/timing.js';

t.test('the median is the middle time, or the mean of the middle two', (t) => {
  t.same(timingOf([5, 1, 3]), { median: 3, min: 1 });
  t.same(timingOf([8, 2, 4, 10]), { median: 6, min: 2 });
  t.end();
});

t.test('runs take turns, each round led by another, and every result is used', async (t) => {
  const calls: string[] = [];
  const run = (name: string, result: number) => async () => {
    calls.push(name);
    return result;
  };
  const before = sunk();
  const timings = await timeInterleaved([run('a', 1), run('b', 10)], { warmup: 1, rounds: 3 });
  t.equal(calls.join(''), 'abbaabba');
  t.equal(sunk() - before, 44);
  t.equal(timings.length, 2);
  t.ok(timings.every(({ median, min }) => min >= 0 && median >= min));
});

t.test('times belong to the run that took them', async (t) => {
  const slow = async () => {
    const end = performance.now() + 5;
    while (performance.now() < end);
    return 0;
  };
  const [quick, late] = await timeInterleaved([async () => 0, slow], { warmup: 0, rounds: 4 });
  t.ok(late.min >= 5);
  t.ok(quick.min < 5);
});
