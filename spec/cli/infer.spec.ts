import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { decodeImage } from '../../lib/data/decode.js';
import { GLYPH_CLASSES, glyphs } from '../../lib/data/glyphs.js';
import { encodePng } from '../../lib/data/node/encodePng.js';
import { readPlanes } from '../../lib/data/normalise.js';
import { pixels } from '../../lib/data/pixels.js';
import { encodeNetwork } from '../../lib/deploy/graph/file.js';
import { type IntegerGraph, integerTensor } from '../../lib/deploy/graph/graph.js';
import { runReference } from '../../lib/deploy/runtime/reference.js';
import { Random } from '../../lib/tensor/random.js';
import { a2qAll, words } from './a2q.js';

const plain = (channels: number) => ({ mean: new Array(channels).fill(0), std: new Array(channels).fill(1) });
const random = new Random(1);
const weights = (count: number) => Array.from({ length: count }, () => Math.round(random.uniform(-7, 7)));

/** Tells glyphs, badly: one linear layer of random weights, in 4 bits. */
const classifier: IntegerGraph = {
  name: 'classifier',
  input: { name: 'x', shape: [1, 16, 16], low: 0, high: 15, scale: 1 / 15 },
  nodes: [
    { op: 'reshape', name: 'flat', inputs: ['x'], shape: [-1] },
    { op: 'linear', name: 'fc', inputs: ['flat'], weights: 'w', weightBits: 4, accumulatorBits: null },
  ],
  output: { value: 'fc', decode: [{ op: 'multiply', values: [0.01] }] },
  tensors: new Map([['w', integerTensor([10, 256], weights(2560))]]),
  task: { kind: 'labels', classes: GLYPH_CLASSES, pixels: plain(1) },
  notes: [],
};

/** Makes pictures twice as large, of their own pixels. */
const upscaler: IntegerGraph = {
  name: 'upscaler',
  input: { name: 'x', shape: [3, 8, 8], low: 0, high: 255, scale: 1 / 255 },
  nodes: [{ op: 'upsample', name: 'large', inputs: ['x'], factor: 2 }],
  output: { value: 'large', decode: [{ op: 'multiply', values: [1 / 255] }] },
  tensors: new Map(),
  task: { kind: 'images', factor: 2, pixels: plain(3) },
  notes: [],
};

/** An array as NumPy saves it. */
function npy(descr: string, shape: string, data: ArrayBuffer): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`.padEnd(117);
  return Uint8Array.from([
    0x93,
    ...new TextEncoder().encode('NUMPY'),
    1,
    0,
    118,
    0,
    ...new TextEncoder().encode(`${text}\n`),
    ...new Uint8Array(data),
  ]);
}

/** A TensorProto: extents, element type (1 float, 6 int32), bytes. */
function pb(shape: readonly number[], type: number, data: ArrayBuffer): Uint8Array {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
  const bytes = new Uint8Array(data);
  return Uint8Array.from([
    ...shape.flatMap((extent) => [8, ...varint(extent)]),
    16,
    type,
    74,
    ...varint(bytes.length),
    ...bytes,
  ]);
}

t.test('a network of integers on images, arrays and test images', async (t) => {
  const folder = t.testdir({});
  const path = (name: string) => join(folder, name);
  await writeFile(path('c.a2q.safetensors'), encodeNetwork(classifier));
  await writeFile(path('u.a2q.safetensors'), encodeNetwork(upscaler));
  const test = glyphs({ split: 'test', length: 1, normalise: false });
  const real = new Float32Array(256);
  test.write(0, real, null);
  await writeFile(path('glyph.png'), encodePng(readPlanes(real, [1, 16, 16], test.normalisation)));
  const photo = pixels(
    8,
    6,
    3,
    Uint8Array.from({ length: 144 }, (_, i) => (i * 37) % 256),
  );
  await writeFile(path('photo.png'), encodePng(photo));
  const integers = Int32Array.from({ length: 512 }, (_, i) => (i * 7) % 16);
  await writeFile(path('two.npy'), npy('<i4', '2, 1, 16, 16', integers.buffer));
  await writeFile(
    path('one.pb'),
    pb([1, 16, 16], 1, Float32Array.from(integers.subarray(0, 256), (q) => q / 15).buffer),
  );
  await writeFile(path('high.pb'), pb([1, 1, 16, 16], 6, new Int32Array(256).fill(16).buffer));
  const c = ['--model', path('c.a2q.safetensors')];
  const u = ['--model', path('u.a2q.safetensors')];
  const run = (...args: readonly (string | readonly string[])[]) => ['infer', ...args.flat()];
  const dataset = words('--dataset glyphs --no-prefetch --batch-size 20 --limit-batches 2');
  const calls = await a2qAll([
    run(c, dataset, '--json', words('--runtime reference')),
    run(c, dataset, '--json', words('--threads 1')),
    run(c, '--input', path('glyph.png'), '--json', words('--top 10')),
    run(c, '--input', path('two.npy'), '--raw', path('two.bin'), '--json', words('--runtime reference')),
    run(c, '--input', path('one.pb'), '--raw', path('one.bin'), words('--threads 1')),
    run(c, '--input', path('high.pb'), '--raw', path('high.bin')),
    run(u, '--input', path('photo.png'), '--out', path('large.png')),
    run(c, dataset, words('--acc-bits 8 --overflow saturate --order pairwise --layers fc --json')),
    run(c, dataset, words('--acc-bits 16 --order tiled:16 --inner-bits 13')),
    run(
      c,
      dataset,
      words('--acc-bits 7..16 --json --report'),
      path('report.html'),
      '--beside',
      path('c.a2q.safetensors'),
    ),
  ]);
  for (const [i, { code, stderr }] of calls.entries()) t.equal(code, i === 5 ? 1 : 0, `${i}: ${stderr}`);
  const [reference, wasm, classes, , , high, pictured, narrow, tiles, sweep] = calls;

  const measured = JSON.parse(reference.stdout);
  t.match(measured, { runtime: 'reference', metricName: 'accuracy', samples: 40, registers: null });
  t.match(JSON.parse(wasm.stdout), { runtime: /wasm/, metric: measured.metric, samples: 40 });
  const [{ classes: guesses }] = JSON.parse(classes.stdout).answers;
  const exact = runReference(classifier, {
    shape: [1, 1, 16, 16],
    data: Int32Array.from(real, (x) => Math.round(x * 15)),
  });
  t.equal(guesses[0].label, exact.data.indexOf(Math.max(...exact.data)));
  t.equal(guesses.length, 10);

  const want = runReference(classifier, { shape: [2, 1, 16, 16], data: integers });
  const two = await readFile(path('two.bin'));
  t.same([...new Int16Array(Uint8Array.from(two).buffer)], [...want.data]);
  t.same([...new Int16Array(Uint8Array.from(await readFile(path('one.bin'))).buffer)], [...want.data.subarray(0, 10)]);
  t.match(high.stderr, /inputs are integers of 0 … 15; got 16/);

  t.match(pictured.stdout, /large\.png, 16x12 pixels/);
  const large = decodeImage(await readFile(path('large.png')), 'large.png');
  t.same([large.width, large.height], [16, 12]);
  const doubled = Array.from(large.data, (_, i) => {
    const [channel, at] = [i % 3, Math.floor(i / 3)];
    return photo.data[(Math.floor(at / 32) * 8 + Math.floor((at % 16) / 2)) * 3 + channel];
  });
  t.same([...large.data], doubled);

  const [layer] = JSON.parse(narrow.stdout).registers;
  t.match(layer, { layer: 'fc', accumulatorBits: 8, proved: false });
  t.ok(layer.overflows > 0 && layer.outputsAffected > 0 && layer.outputs === 400);
  t.match(tiles.stdout, /fc: wrapping 13-bit tiles in 16 bits: none of [\d,]+ partial sums can overflow/);

  const { networks } = JSON.parse(sweep.stdout);
  t.equal(networks.length, 2);
  const [{ points, exact: metric, layers }] = networks;
  t.equal(metric, measured.metric);
  t.same(points[0], { bits: 16, wrap: metric, saturate: metric, unchanged: { wrap: 40, saturate: 40 } });
  t.ok(points.at(-1).unchanged.wrap < 40);
  t.equal(
    layers[0].partialSums.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
    layers[0].sums,
  );
  const page = await readFile(path('report.html'), 'utf8');
  t.match(page, /<h1>c.*: accumulators of P bits|<h1>classifier: accumulators of P bits/);
  t.equal(page.match(/<svg /g)?.length, 6, 'three drawings, each for screens and for phones');
});

t.test('what does not go together is refused before any work', async (t) => {
  const folder = t.testdir({});
  const path = (name: string) => join(folder, name);
  await writeFile(path('c.a2q.safetensors'), encodeNetwork(classifier));
  await writeFile(path('u.a2q.safetensors'), encodeNetwork(upscaler));
  await writeFile(path('x.npy'), npy('<i4', '1, 16, 16', new Int32Array(256).buffer));
  const c = ['--model', path('c.a2q.safetensors')];
  const x = path('x.npy');
  const cases: [args: string[], message: RegExp][] = [
    [['--model', path('none'), '--input', x], /there is no file/],
    [c, /name either --input FILE or --dataset NAME/],
    [[...c, '--input', x, '--dataset', 'glyphs'], /name either/],
    [[...c, '--dataset', 'glyphs', '--raw', 'r'], /--raw goes with --input/],
    [[...c, '--dataset', 'glyphs', '--overflow', 'wrap'], /--overflow goes with --acc-bits/],
    [[...c, '--dataset', 'glyphs', '--report', 'r.html'], /--acc-bits/],
    [[...c, '--dataset', 'glyphs', '--acc-bits', '8', '--inner-bits', '7'], /--inner-bits goes with --order tiled:T/],
    [[...c, '--dataset', 'glyphs', '--acc-bits', '8', '--layers', 'flat'], /flat is no layer with an accumulator/],
    [[...c, '--dataset', 'glyphs', '--acc-bits', '8', '--threads', '2'], /leave out --runtime and --threads/],
    [[...c, '--dataset', 'glyphs', '--acc-bits', '9..8'], /P below Q/],
    [[...c, '--dataset', 'glyphs', '--acc-bits', '8', '--order', 'tiled'], /tiled:T/],
    [[...c, '--dataset', 'glyphs', '--acc-bits', '7..8', '--overflow', 'wrap'], /leave out --overflow wrap/],
    [[...c, '--dataset', 'bsd300'], /the network tells classes; bsd300 holds pairs/],
    [[...c, '--dataset', 'glyphs', '--beside', x], /--beside goes with/],
    [[...c, '--input', x, '--acc-bits', '7..8'], /go with --dataset/],
    [[...c, '--input', x, x, '--raw', 'r'], /one file at a time/],
    [[...c, '--input', x, '--out', 'y.png'], /makes no pictures/],
    [[...c, '--input', x, '--runtime', 'reference', '--threads', '2'], /the reference runtime has one thread/],
    [['--model', path('u.a2q.safetensors'), '--input', x], /say where they go/],
  ];
  const calls = await a2qAll(cases.map(([args]) => ['infer', ...args]));
  for (const [i, [args, message]] of cases.entries()) {
    t.match(calls[i], { code: 2, stdout: '', stderr: message }, args.slice(2).join(' '));
  }
});
