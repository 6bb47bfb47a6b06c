import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { a2q, a2qAll, words } from './a2q.js';

const TINY = '--model cnn --dataset glyphs --train-images 200 --batch-size 8 --seed 1 --threads 1';

t.test('float, then A2Q+ from it: train, eval, audit', async (t) => {
  const folder = t.testdir({});
  const [float, quantized] = [join(folder, 'float'), join(folder, 'runs', 'a2q')];
  const first = await a2q([...words(`train ${TINY} --method float --epochs 2 --limit-batches 10 --out`), float]);
  t.equal(first.code, 0, first.stderr);
  t.match(first.stdout, /best accuracy \d+\.\d\d % in epoch [12]\nrun finished: /);
  t.match(
    first.stdout,
    /batches were made ahead of time in a worker\na training step held at most \d+\.\d MB of tensors/,
  );
  t.match(first.stderr, /epoch 2\/2 {2}loss \d/);

  const flags = '--method a2q+ --acc-bits 12 --calibration-images 16 --epochs 1 --limit-batches 5 --json';
  const second = await a2q([...words(`train ${TINY} ${flags} --init-from`), float, '--out', quantized]);
  t.equal(second.code, 0, second.stderr);
  const run = JSON.parse(second.stdout);
  t.match(run, { interrupted: false, metricName: 'accuracy', config: { method: 'a2q+', weightBits: 4, actBits: 4 } });
  t.match(run.config, { accumulatorBits: 12, batchSize: 8, start: { epInit: true, biasCorrection: true } });
  t.equal(run.epochs.length, 1);
  t.match(run, { batchesMadeIn: 'worker', epochs: [{ batchesMadeIn: 'worker' }] });
  t.ok(run.peakBytes > 100_000 && run.peakBytes < 10_000_000, `${run.peakBytes} bytes`);
  for (const stage of ['EP-init', 'activation calibration', 'bias correction']) t.match(second.stderr, stage);

  const measured = await a2q(['eval', '--run', quantized, '--limit-batches', '5', '--threads', '1', '--json']);
  t.equal(measured.code, 0, measured.stderr);
  t.match(JSON.parse(measured.stdout), { metric: run.best.metric, samples: 40, method: 'a2q+' }, 'as while training');
  t.equal(JSON.parse(measured.stdout).batchesMadeIn, 'worker');

  const [proved, tight, people4] = await a2qAll([
    words(`eval --run ${quantized} --limit-batches 5 --threads 1 --acc-bits 12 --json`),
    words(`eval --run ${quantized} --limit-batches 1 --threads 1 --acc-bits 4 --overflow saturate --json`),
    words(`eval --run ${quantized} --limit-batches 1 --threads 1 --acc-bits 4 --overflow saturate`),
  ]);
  t.match(JSON.parse(proved.stdout), { metric: run.best.metric, register: { accumulatorBits: 12, overflows: 0 } });
  const { register } = JSON.parse(tight.stdout);
  t.match(register, { accumulatorBits: 4, overflow: 'saturate' });
  t.same(
    register.layers.map(({ layer }: { layer: string }) => layer),
    ['stages.1.conv', 'stages.2.conv'],
  );
  t.ok(register.overflows > 0);
  t.match(people4.stdout, `saturating 4-bit accumulators: ${register.overflows.toLocaleString('en-US')} of`);
  const refused = await a2qAll([
    words(`eval --run ${float} --acc-bits 12`),
    words(`eval --run ${quantized} --overflow wrap`),
    words(`eval --run ${quantized} --acc-bits 12 --overflow exact`),
  ]);
  for (const [i, message] of [/no integers to sum/, /goes with --acc-bits/, /Allowed choices/].entries()) {
    t.match(refused[i], { code: 2, stderr: message });
  }

  const audited = await a2q(['audit', '--run', quantized, '--json']);
  t.equal(audited.code, 0, audited.stderr);
  const certificate = JSON.parse(audited.stdout);
  t.equal(certificate.proved, true);
  t.same(
    certificate.layers.map(({ accumulatorBits }: { accumulatorBits: number | null }) => accumulatorBits),
    [null, 12, 12, null],
  );
  const written = JSON.parse(await readFile(join(quantized, 'certificate.json'), 'utf8'));
  t.same(written.layers, certificate.layers);
  const people = await a2q(['audit', '--checkpoint', join(quantized, 'last.safetensors')]);
  t.equal(people.code, 0);
  t.match(
    people.stdout,
    /stages\.1\.conv channel \d+: worst sum -?\d+ at inputs \[.*\]; reached with 0 overflows on 12/,
  );
  t.match(people.stdout, 'proved: no accumulator of 12 bits can overflow');
  const [looked, odd] = await a2qAll([
    words(`audit --run ${quantized} --data --images 12 --threads 1 --json`),
    words(`audit --run ${quantized} --images 12`),
  ]);
  t.match(JSON.parse(looked.stdout), {
    proved: true,
    layers: [1, 2, 3, 4].map(() => ({ inputChecked: 'by construction', inputSeen: { samples: 12 }, problems: [] })),
  });
  t.match(odd, { code: 2, stderr: /--images goes with --data/ });
  const elsewhere = await a2qAll(
    ['wasm', 'reference'].map((backend) => words(`audit --run ${quantized} --backend ${backend} --json`)),
  );
  const [own, other] = elsewhere.map(({ stdout }) => JSON.parse(stdout));
  t.same(other.layers, own.layers, 'the same integers on every backend');
  t.match([own.auditedBy.backend, other.auditedBy.backend, other.integers.backend], ['wasm', 'reference', 'wasm']);
  const file = join(quantized, 'certificate.json');
  const text = await readFile(file, 'utf8');
  const [verified] = await a2qAll([words(`verify --run ${quantized} --json`)]);
  t.equal(verified.code, 0, verified.stderr);
  t.match(JSON.parse(verified.stdout), { verified: true, proved: true, differences: [] });
  const copy = join(folder, 'copy.json');
  const best = join(quantized, 'best.safetensors');
  await writeFile(copy, text);
  const [byRun, byFile, alone] = await a2qAll([
    ['verify', '--run', quantized, '--certificate', copy],
    ['verify', '--checkpoint', best, '--certificate', copy],
    ['verify', '--checkpoint', best],
  ]);
  t.match([byRun.code, byFile.code], [0, 0], byRun.stderr + byFile.stderr);
  t.match(alone, { code: 2, stderr: /--checkpoint goes with --certificate FILE/ });
  await writeFile(file, text.replace('"safeBits": ', '"safeBits": 1'));
  const lie = await a2q(words(`verify --run ${quantized} --json`));
  t.match(lie, { code: 1, stderr: /certificate\.json: safeBits is 1\d+; the files give \d+\n.*NOT verified/s });
  t.match(JSON.parse(lie.stdout), { verified: false, proved: null });
  await writeFile(file, text);
  const settings = await readFile(join(quantized, 'config.json'), 'utf8');
  await writeFile(join(quantized, 'config.json'), settings.replace(/"accumulatorBits": \d+/, '"accumulatorBits": 13'));
  const edited = await a2q(words(`verify --run ${quantized} --json`));
  t.match(edited, { code: 1, stderr: /config\.json is not the checkpoint's: --acc-bits is 13, was \d+/ });
  await writeFile(join(quantized, 'config.json'), settings);
  const [unaudited, nowhere] = await a2qAll([words(`verify --run ${float}`), words(`verify --run ${folder}`)]);
  t.match(unaudited, { code: 1, stderr: /has no certificate\.json; make one: a2q audit --run/ });
  t.match(nowhere, { code: 2, stderr: /holds no run/ });
  const nothing = await a2q(['audit', '--run', float]);
  t.match(nothing, { code: 2, stderr: /is a float model/ });
});

t.test('Ctrl-C leaves a checkpoint from which the same bits follow', async (t) => {
  const folder = t.testdir({});
  const train = words(`train ${TINY} --method a2q --acc-bits 12 --stats-steps 6 --epochs 2 --limit-batches 25 --out`);
  const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
  const straight = await a2q([...train, whole]);
  t.equal(straight.code, 0, straight.stderr);
  const stopped = await a2q([...train, parts], { interruptAt: /epoch 1\/2/ });
  t.equal(stopped.code, 130, stopped.stderr);
  t.match(stopped.stderr, 'stopping after this step');
  t.match(
    stopped.stdout,
    /interrupted in epoch 2 of 2, after \d+ batches; go on with: a2q train --resume --out .*parts/,
  );
  t.same((await readdir(parts)).sort(), ['best.safetensors', 'config.json', 'last.safetensors', 'log.jsonl']);

  const again = await a2q([...train, parts]);
  t.match(again, { code: 2, stderr: /holds a run already; add --resume to go on/ });
  const other = await a2q([...words('train --resume --batch-size 4 --epochs 2 --out'), parts]);
  t.match(other, { code: 2, stderr: /begun with other settings \(--batch-size is 4, was 8\)/ });

  const resumed = await a2q([...words('train --resume --threads 1 --json --out'), parts]);
  t.equal(resumed.code, 0, resumed.stderr);
  t.match(JSON.parse(resumed.stdout), { interrupted: false, position: { epoch: 2, step: 50 } });
  for (const file of ['last.safetensors', 'best.safetensors']) {
    const [a, b] = await Promise.all([readFile(join(whole, file)), readFile(join(parts, file))]);
    t.ok(a.equals(b), `${file}, byte for byte`);
  }
});

t.test('Ctrl-C while data are read', async (t) => {
  const out = join(t.testdir({}), 'run');
  const stopped = await a2q([...words(`train ${TINY} --method float --epochs 3 --out`), out], {
    interruptAt: /reading/,
  });
  t.equal(stopped.code, 130, stopped.stderr);
  t.match(stopped.stdout, /interrupted in epoch 1 of 3, after \d+ batches; go on with: a2q train --resume/);
});

t.test('without a worker it trains to the same bits, and says so', async (t) => {
  const folder = t.testdir({});
  const train = words(`train ${TINY} --method float --epochs 1 --limit-batches 4 --out`);
  const [ahead, between] = [join(folder, 'ahead'), join(folder, 'between')];
  await a2q([...train, ahead]);
  const run = await a2q([...train, between, '--no-prefetch']);
  t.equal(run.code, 0, run.stderr);
  t.match(run.stdout, 'batches were made between the steps, in the same thread');
  const [a, b] = await Promise.all([ahead, between].map((path) => readFile(join(path, 'last.safetensors'))));
  t.ok(a.equals(b));
  const measured = await a2q(['eval', '--run', between, '--limit-batches', '1', '--no-prefetch', '--json']);
  t.match(JSON.parse(measured.stdout), { batchesMadeIn: 'same thread' });
});

t.test('layers of zeros are told, in the log too', async (t) => {
  const out = join(t.testdir({}), 'run');
  const flags = '--method a2q --acc-bits 10 --epochs 2 --limit-batches 2 --json';
  const { code, stdout, stderr } = await a2q([...words(`train ${TINY} ${flags} --out`), out]);
  t.equal(code, 0, stderr);
  const zeros = ['stages.2.conv'];
  t.match(JSON.parse(stdout).epochs, [{ zeroLayers: zeros }, { zeroLayers: zeros }]);
  const note =
    'note: all weights of stages.2.conv are 0: nothing passes it; ' +
    'start from a float run with --init-from, or raise --acc-bits\n';
  t.equal(stderr.split(note).length - 1, 2, 'once while it trains, and at the end');
  t.notMatch(await readFile(join(out, 'config.json'), 'utf8'), 'zeroLayers');
  const healthy = await a2q([
    ...words(`train ${TINY} --method qat --epochs 1 --limit-batches 2 --json --out`),
    `${out}2`,
  ]);
  t.notOk('zeroLayers' in JSON.parse(healthy.stdout).epochs[0]);
});
