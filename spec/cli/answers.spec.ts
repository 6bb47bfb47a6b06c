import t from 'tap';
import { a2q, words } from './a2q.js';

t.test('a2q bounds', async (t) => {
  const machine = await a2q(words('bounds --weight-bits 4 --act-bits 4 --k 576 --acc-bits 16 --json'));
  t.equal(machine.code, 0);
  const answer = JSON.parse(machine.stdout);
  t.match(answer, { weightBits: 4, actBits: 4, k: 576, signed: false, accumulatorBits: 16 });
  // a = log2 576 + 4 + 3 = 16.17: P* = ⌈a + log2(1 + 2^−a) + 1⌉ = 18.
  t.equal(answer.dataTypeBits, 18);
  t.equal(answer.kinds.a2q.atP.budget, 2047.9375);
  t.ok(Math.abs(answer.kinds['a2q+'].atP.budget - 65534 / 15) < 1e-9);
  t.same([answer.kinds.a2q.smallestBits, answer.kinds['a2q+'].smallestBits], [6, 5]);
  t.match(machine.stderr, 'P* = 18');

  const people = await a2q(words('bounds --weight-bits 3 --act-bits 3 --k 4608'));
  t.equal(people.code, 0);
  t.match(people.stdout, 'P* = 19 bits');
  const none = await a2q(words('bounds --weight-bits 4 --act-bits 8 --k 9 --signed --acc-bits 6'));
  t.match(none.stdout, 'no weight fits');
});

t.test('a2q info', async (t) => {
  const machine = await a2q(words('info --json'));
  t.equal(machine.code, 0);
  const report = JSON.parse(machine.stdout);
  t.equal(report.node, process.versions.node);
  const reference = report.backends.find(({ name }: { name: string }) => name === 'reference');
  t.match(reference, { available: true, details: /float64/ });
  t.ok(report.backends.some(({ name }: { name: string }) => name === report.chosen.name));
  t.type(report.chosen.why, 'string');
  const people = await a2q(['info']);
  t.match(people.stdout, /chosen: \w+ \(/);
  for (const mode of ['webgpu', 'webgl2', 'webasm', 'cpu']) {
    const gpu = report.backends.find(({ name }: { name: string }) => name === `gpu:${mode}`);
    t.type(gpu.available, 'boolean');
    t.ok(gpu.details.length > 10, `gpu:${mode} ${gpu.details}`);
    t.match(people.stdout, `gpu:${mode}`);
  }
  t.match(
    report.backends.find(({ name }: { name: string }) => name === 'gpu:webgl2'),
    { available: false, details: /browsers have it|npm i gpu\.js/ },
    'and why it is not here',
  );
});

t.test(
  'a full disk behind standard output',
  { skip: process.platform === 'linux' ? false : 'needs /dev/full' },
  async (t) => {
    const { code, stderr } = await a2q(words('info --json'), { before: 'exec >/dev/full' });
    t.equal(code, 1);
    t.match(stderr, /cannot write to standard output: .*no space left/);
  },
);
