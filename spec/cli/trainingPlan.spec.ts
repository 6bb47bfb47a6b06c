import { join } from 'node:path';
import t from 'tap';
import { TimeEstimate } from '../../lib/cli/trainingPlan.js';
import { a2q, words } from './a2q.js';

t.test('training says what it is about to do, and what of it makes no sense', async (t) => {
  const out = join(t.testdir(), 'run');
  const flags = '--model cnn --dataset glyphs --method a2q+ --acc-bits 30 --train-images 64 --epochs 1 --threads 1';
  const { code, stdout, stderr } = await a2q([...words(`train ${flags} --json --out`), out]);
  t.equal(code, 0, stderr);
  t.type(JSON.parse(stdout), 'object', 'standard output is the result alone');
  t.match(stderr, /^cnn on glyphs, [\d,]+ parameters, on wasm \(.*\); settings:\n {2}--dataset glyphs/);
  t.match(stderr, '--acc-bits 30');
  t.match(stderr, '--optimizer adam --lr 0.001', 'what was not given is shown as well');
  t.match(stderr, '64 images to train on, 2,000 to test on');
  t.match(stderr, 'note: --acc-bits 30 has no effect');
  t.match(stderr, 'note: --stats-steps 300 is as long as the whole run of 1 steps');
});

t.test('the time of a run is told once, after the first steps', async (t) => {
  const estimate = new TimeEstimate();
  t.equal(estimate.after(5000, 99), null, 'the first step warms up');
  for (let step = 2; step <= 10; step++) t.equal(estimate.after(20, 100 - step), null);
  t.equal(estimate.after(20, 3000), 'about 1m00s to go: 3,000 steps of 20 ms, tests not counted');
  t.equal(estimate.after(20, 2999), null);
  const slow = new TimeEstimate();
  slow.after(1, 10);
  t.match(slow.after(10_000, 6), 'about 1m00s to go', 'or after ten seconds');
});
