import '../startReference.js';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { configOf, type DemoPlan, FULL_PLAN, flagsOf, QUICK_PLAN, trainCommandOf } from '../../lib/cli/demo/plan.js';
import type { QuantizedNetwork } from '../../lib/cli/demo/quantizedNetwork.js';
import { rowsOf } from '../../lib/cli/demo/rows.js';
import { runDemo } from '../../lib/cli/demo/runDemo.js';
import { backendNamed, setBackend } from '../../lib/kernels/registry.js';
import { a2q, a2qAll, words } from './a2q.js';

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

t.test('the whole demo, in small', async (t) => {
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
  t.equal(html.match(/<svg /g)?.length, 2 * 4, 'four charts, for wide screens and for phones');
  t.notMatch(html, /<script|<link|src=|url\(|https?:\/\/(?!www\.w3\.org)/, 'nothing is loaded');
  t.notMatch(html, /undefined|NaN|\[object/);
  t.equal(html.match(/<th scope="row"/g)?.length, rows.length);
  t.ok(html.includes(`${(100 * rows[1].accuracy).toFixed(2)} %`));
  t.ok(html.includes('--method a2q+ --acc-bits 9 --init-from runs/float/last.safetensors '), 'the same by hand');
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

/** Two steps an epoch, one network of each method. */
const TINY: DemoPlan = { ...QUICK_PLAN, accumulatorBits: [9], common: { ...QUICK_PLAN.common, trainImages: 64 } };

t.test('work is announced as it is done', async (t) => {
  setBackend(backendNamed('wasm'));
  const done: number[] = [];
  const begun: string[] = [];
  let work = 0;
  const { networks, settings } = await runDemo(TINY, {
    onStart: (all) => {
      work = all;
    },
    onWork: (part) => done.push(part),
    onBegin: (method, bits) => begun.push(`${method} ${bits}`),
  });
  // Four networks of two steps; seven tests of two batches: QAT, A2Q and A2Q+ are each tested twice.
  t.equal(work, 4 * 2 + 7 * 2);
  t.equal(done.at(-1), work);
  t.match(settings, { trainImages: 64, testImages: 64 });
  t.same(begun, ['float null', 'qat null', 'a2q 9', 'a2q+ 9']);
  t.same(
    networks.map(({ losses }) => losses.length),
    [2, 2, 2],
  );
  for (const { layers, accumulatorBits } of networks) {
    for (const { budget, norms } of layers) {
      t.equal(budget === null, accumulatorBits === null);
      t.ok(norms.every((norm) => budget === null || norm <= budget));
    }
  }
  const again = await runDemo(TINY);
  t.same(again.networks, networks, 'the same seed gives the same networks');
});

t.test('its commands give the same networks, tested on the same accumulators', async (t) => {
  setBackend(backendNamed('wasm'));
  const folder = t.testdir();
  const { float, networks } = await runDemo(TINY);
  const inFolder = (line: string) => words(line.replaceAll('runs/', `${folder}/`)).slice(1);
  const evaluate = (name: string) =>
    inFolder(`a2q eval --run runs/${name} --last --limit-batches 2 --json --acc-bits 9`);
  const lines = [
    inFolder(trainCommandOf(TINY, 'float', null)),
    inFolder(trainCommandOf(TINY, 'qat', null)),
    inFolder(trainCommandOf(TINY, 'a2q+', 9)),
    evaluate('qat'),
    evaluate('a2q+-9'),
  ].map((line) => [...line, '--threads', '1', ...(line[0] === 'train' ? ['--winograd', 'off', '--json'] : [])]);
  const calls = await a2qAll(lines);
  const [trained, qat, plus, ...tested] = calls.map(({ code, stdout, stderr }) => {
    t.equal(code, 0, stderr);
    return JSON.parse(stdout);
  });
  t.equal(trained.epochs.at(-1).testMetric, float.accuracy);
  t.equal(qat.epochs.at(-1).testMetric, networks[0].accuracy);
  t.equal(plus.epochs.at(-1).testMetric, networks[2].accuracy);
  for (const [i, network] of [networks[0], networks[2]].entries()) {
    const [{ accuracy, overflows }] = network.trials;
    t.equal(tested[i].metric, accuracy);
    t.match(tested[i].register, { accumulatorBits: 9, overflow: 'wrap', overflows });
  }
});

t.test('a plan is flags, and the recipes say the rest', async (t) => {
  t.equal(
    trainCommandOf(FULL_PLAN, 'a2q+', 9),
    'a2q train --model cnn --dataset glyphs --method a2q+ --acc-bits 9 --init-from runs/float/last.safetensors ' +
      '--epochs 8 --reestimation-images 3000 --out runs/a2q+-9',
  );
  t.equal(
    trainCommandOf({ ...FULL_PLAN, seed: 2 }, 'float', null),
    'a2q train --model cnn --dataset glyphs --method float --epochs 5 --lr 0.002 --seed 2 --out runs/float',
  );
  const config = await configOf(flagsOf(FULL_PLAN, 'qat', null), 'wasm');
  t.match(config, { weightBits: 4, actBits: 4, accumulatorBits: null, shape: { signed: false, classes: 10 } });
  t.match(config.start, { heInit: false, epInit: false, reestimationSamples: 3000, calibrationSamples: 1000 });
});

t.test('the README prints commands of the demo', async (t) => {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const lines = readme.replaceAll(/\\\n\s+/g, '').split('\n');
  const networks = [
    ['float', null],
    ['qat', null],
    ['a2q+', 9],
  ] as const;
  for (const [method, bits] of networks) t.ok(lines.includes(`$ npx ${trainCommandOf(FULL_PLAN, method, bits)}`));
});

t.test('rows come by width, all methods side by side', (t) => {
  type Network = QuantizedNetwork;
  const network = (method: Network['method'], bits: number | null, trials: Network['trials']): Network => ({
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
    float: { accuracy: 0.875, sparsity: 0, losses: [] },
    networks: [
      network('qat', null, [trial(12, 0), trial(9, 7)]),
      network('a2q', 9, [trial(9, 0)]),
      network('a2q', 12, [trial(12, 0)]),
    ],
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
