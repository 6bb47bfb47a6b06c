import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Arm } from '../../lib/cli/demo/arm.js';
import { FULL_PLAN, QUICK_PLAN } from '../../lib/cli/demo/plan.js';
import { rowsOf } from '../../lib/cli/demo/rows.js';
import { storyWork, tellStory } from '../../lib/cli/demo/story.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { a2q, words } from './a2q.js';

interface Row {
  method: string;
  accBits: number | null;
  accuracy: number;
  accumulatorAccuracy: number;
  overflows: number;
  provedAccBits: number | null;
  sparsity: number;
}

const QUICK = '--quick --threads 1 --seed 3';

t.test('the whole story, in small', async (t) => {
  const out = join(t.testdir(), 'deep', 'demo');
  const run = await a2q([...words(`demo ${QUICK} --json --out`), out]);
  t.equal(run.code, 0, run.stderr);
  const printed = JSON.parse(run.stdout) as { rows: Row[] };
  const written = JSON.parse(await readFile(join(out, 'results.json'), 'utf8'));
  t.same(written, printed);
  t.same((await readdir(out)).sort(), ['report.html', 'results.json']);

  const { rows } = printed;
  t.same(
    rows.map(({ method, accBits }) => `${method} ${accBits}`),
    ['float null', 'qat 12', 'a2q 12', 'a2q+ 12', 'qat 9', 'a2q 9', 'a2q+ 9'],
  );
  for (const row of rows) {
    const keys = ['method', 'accBits', 'accuracy', 'accumulatorAccuracy', 'overflows', 'provedAccBits', 'sparsity'];
    t.same(Object.keys(row), keys);
    for (const share of [row.accuracy, row.accumulatorAccuracy, row.sparsity]) t.ok(share >= 0 && share <= 1);
    // 64 test images.
    t.ok(Number.isInteger(row.accuracy * 64) && Number.isInteger(row.accumulatorAccuracy * 64));
  }
  for (const row of rows.filter(({ method }) => method.startsWith('a2q'))) {
    t.equal(row.overflows, 0, `${row.method} never overflows`);
    t.equal(row.accumulatorAccuracy, row.accuracy);
    t.ok((row.provedAccBits as number) <= (row.accBits as number), 'and that is proved');
  }
  const [wide, narrow] = rows.filter(({ method }) => method === 'qat');
  t.ok(narrow.overflows > wide.overflows, 'QAT overflows where P shrinks');
  t.equal(narrow.accuracy, wide.accuracy, 'and was trained once');
  t.match(run.stderr, /A2Q\+ .* 9 bits/);

  const html = await readFile(join(out, 'report.html'), 'utf8');
  t.equal(html.match(/<svg /g)?.length, 4);
  t.notMatch(html, /<script|<link|src=|url\(|https?:\/\/(?!www\.w3\.org)/, 'nothing is loaded');
  t.notMatch(html, /undefined|NaN|\[object/);
  t.equal(html.match(/<th scope="row"/g)?.length, rows.length);
  t.ok(html.includes(`${(100 * rows[1].accuracy).toFixed(2)} %`));
});

t.test('a folder that cannot be written is refused before training', async (t) => {
  const folder = t.testdir({ occupied: 'a file' });
  const run = await a2q([...words(`demo ${QUICK} --json --out`), join(folder, 'occupied')]);
  t.equal(run.code, 2);
  t.match(JSON.parse(run.stdout), { error: { type: 'UsageError', message: /cannot write .*occupied/ } });
  t.notMatch(run.stderr, /QAT/);
});

t.test('flags that make no sense', async (t) => {
  for (const flags of ['--seed -1', '--seed x', '--backend abacus', '--bits 4', '--backend reference --threads 2']) {
    const run = await a2q(words(`demo --quick ${flags}`));
    t.equal(run.code, 2, flags);
    t.equal(run.stdout, '');
  }
});

t.test('Ctrl-C leaves what was there', async (t) => {
  const folder = t.testdir();
  const out = join(folder, 'demo');
  const run = await a2q(['demo', '--out', out], { interruptAt: /ten glyphs/ });
  t.equal(run.code, 130);
  t.match(run.stderr, 'interrupted; nothing was written');
  t.same(await readdir(folder), [], 'not even an empty folder');

  await mkdir(out);
  await writeFile(join(out, 'results.json'), 'of an earlier run');
  t.equal((await a2q(['demo', '--out', out], { interruptAt: /ten glyphs/ })).code, 130);
  t.same(await readdir(out), ['results.json']);
  t.equal(await readFile(join(out, 'results.json'), 'utf8'), 'of an earlier run');
});

t.test('work is announced as it is done', async (t) => {
  setBackend(backendNamed('wasm'));
  const plan = { ...QUICK_PLAN, accumulatorBits: [9], trainImages: 64, testImages: 30, calibrationImages: 32 };
  const done: number[] = [];
  const begun: string[] = [];
  const { arms } = await tellStory(plan, {
    onWork: (work) => done.push(work),
    onBegin: (method, bits) => begun.push(`${method} ${bits}`),
  });
  t.equal(done.at(-1), storyWork(plan));
  t.same(begun, ['float null', 'qat null', 'a2q 9', 'a2q+ 9']);
  t.same(
    arms.map(({ losses }) => losses.length),
    [2, 2, 2],
  );
  for (const { layers, accumulatorBits } of arms) {
    for (const { budget, norms } of layers) {
      t.equal(budget === null, accumulatorBits === null);
      t.ok(norms.every((norm) => budget === null || norm <= budget));
    }
  }
  const again = await tellStory(plan);
  t.same(again.arms, arms, 'the same seed tells the same story');
});

t.test('rows come by width, all methods side by side', (t) => {
  const arm = (method: Arm['method'], bits: number | null, trials: Arm['trials']): Arm => ({
    method,
    accumulatorBits: bits,
    accuracy: 0.75,
    trials,
    safeBits: 8,
    sparsity: 0.5,
    layers: [],
    weightsBefore: [],
    weightsAfter: [],
    losses: [],
  });
  const trial = (accumulatorBits: number, overflows: number) => ({ accumulatorBits, overflows, accuracy: 0.25 });
  const rows = rowsOf({
    plan: FULL_PLAN,
    float: { accuracy: 0.875, sparsity: 0, losses: [] },
    arms: [arm('qat', null, [trial(12, 0), trial(9, 7)]), arm('a2q', 9, [trial(9, 0)]), arm('a2q', 12, [trial(12, 0)])],
  });
  const common = { accuracy: 0.75, accumulatorAccuracy: 0.25, provedAccBits: 8, sparsity: 0.5 };
  t.same(rows, [
    {
      method: 'float',
      accBits: null,
      accuracy: 0.875,
      accumulatorAccuracy: 0.875,
      overflows: 0,
      provedAccBits: null,
      sparsity: 0,
    },
    { method: 'qat', accBits: 12, overflows: 0, ...common },
    { method: 'a2q', accBits: 12, overflows: 0, ...common },
    { method: 'qat', accBits: 9, overflows: 7, ...common },
    { method: 'a2q', accBits: 9, overflows: 0, ...common },
  ]);
  t.end();
});
