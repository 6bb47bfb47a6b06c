import t from 'tap';
import { makeBatch } from '../../lib/data/batches.js';
import { drawGlyph, GLYPH_CLASSES, GLYPH_STATISTICS, glyphs } from '../../lib/data/glyphs.js';
import { planeStatistics } from '../../lib/data/normalise.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { trainSoftmaxRegression } from './softmaxRegression.js';

const range = (n: number) => Uint32Array.from({ length: n }, (_, i) => i);

t.test('facts', async (t) => {
  const set = glyphs({ length: 25 });
  t.same([set.kind, set.name, set.length, set.inputShape], ['labels', 'glyphs/train', 25, [1, 16, 16]]);
  t.equal(new Set(set.classes).size, 10);
  t.equal(set.classes, GLYPH_CLASSES);
  const labels = makeBatch(set, range(25)).targets;
  t.same([...labels], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4]);
  t.throws(() => glyphs({ length: 0 }), DataError);
  t.throws(() => drawGlyph(10, new Random(0)), { message: /label must be 0 … 9; got 10/ });
});

t.test('an image is a function of seed, split, index and draw', async (t) => {
  const image = (options: object, draw: { seed: number; epoch: number } | null = null) =>
    makeBatch(glyphs({ normalise: false, ...options }), [3], draw).inputs.join();
  const plain = image({ seed: 1 });
  t.equal(image({ seed: 1, length: 20 }), plain);
  const others = [
    image({ seed: 2 }),
    image({ seed: 1, split: 'test' }),
    image({ seed: 1 }, { seed: 1, epoch: 0 }),
    image({ seed: 1 }, { seed: 1, epoch: 1 }),
    image({ seed: 1 }, { seed: 2, epoch: 1 }),
  ];
  t.equal(new Set([plain, ...others]).size, 6);
});

t.test('no test image is drawn in training', async (t) => {
  const prints = (split: 'train' | 'test', draw: { seed: number; epoch: number } | null) => {
    const { inputs, size } = makeBatch(glyphs({ split, normalise: false }), range(500), draw);
    return Array.from({ length: size }, (_, i) => inputs.subarray(i * 256, (i + 1) * 256).join());
  };
  const test = new Set(prints('test', null));
  t.equal(test.size, 500);
  for (const draw of [null, { seed: 0, epoch: 0 }, { seed: 0, epoch: 1 }]) {
    t.notOk(prints('train', draw).some((image) => test.has(image)));
  }
});

t.test('inputs are bytes, normalised on request', async (t) => {
  const raw = makeBatch(glyphs({ normalise: false }), range(2000)).inputs;
  t.ok(raw.every((value) => value >= 0 && value <= 1 && Math.abs(value * 255 - Math.round(value * 255)) < 1e-4));
  const { mean, std } = planeStatistics(
    Uint8Array.from(raw, (value) => Math.round(value * 255)),
    1,
    256,
  );
  t.ok(Math.abs(mean[0] - GLYPH_STATISTICS.mean[0]) < 0.005, `mean ${mean[0]}`);
  t.ok(Math.abs(std[0] - GLYPH_STATISTICS.std[0]) < 0.005, `std ${std[0]}`);
  const normalised = makeBatch(glyphs(), range(10)).inputs;
  const [m, s] = [GLYPH_STATISTICS.mean[0], GLYPH_STATISTICS.std[0]];
  t.ok(normalised.every((value, i) => Math.abs(value - (raw[i] - m) / s) < 1e-5));
});

/** Draws the middle of every range (0.502): no rotation, slant, shift or stray, and next to no noise. */
class Middle extends Random {
  override bits(): number {
    return 0x80808080;
  }
}

t.test('strokes are anti-aliased by distance', async (t) => {
  // The plus crosses at (7.5, 7.5); paper 0.135, ink 0.8, half width 0.725. A pixel 0.5 beside a stroke is covered by
  // 0.725 + 0.5 − 0.5 of itself, one 1.5 beside it not at all: 0.135 + 0.725·0.665 = 0.617 and 0.135.
  const plus = drawGlyph(GLYPH_CLASSES.indexOf('plus'), new Middle(0));
  const at = (x: number, y: number) => plus[16 * y + x];
  for (const [x, y] of [
    [7, 4],
    [8, 4],
    [7, 11],
    [4, 7],
    [4, 8],
    [11, 7],
    [7, 7],
  ]) {
    t.ok(Math.abs(at(x, y) - 0.617 * 255) < 3, `stroke at ${x}, ${y}: ${at(x, y)}`);
  }
  for (const [x, y] of [
    [6, 4],
    [9, 4],
    [4, 6],
    [0, 0],
    [15, 15],
    [7, 1],
    [14, 7],
  ]) {
    t.ok(Math.abs(at(x, y) - 0.135 * 255) < 3, `paper at ${x}, ${y}: ${at(x, y)}`);
  }
  // The slanted sides of the triangle pass the pixels at many distances.
  const triangle = drawGlyph(GLYPH_CLASSES.indexOf('triangle'), new Middle(0));
  t.ok(new Set(triangle).size > 12);
  t.ok(triangle.every((byte) => byte > 31 && byte < 208));
});

t.test('at least 20,000 images a second', async (t) => {
  const set = glyphs({ length: 20000 });
  makeBatch(set, range(2000));
  const start = performance.now();
  makeBatch(set, range(10000));
  const rate = 10000 / ((performance.now() - start) / 1000);
  t.comment(`${Math.round(rate)} images/s`);
  // A quarter of the promise, so that a busy machine does not fail the build.
  t.ok(rate > 5000);
});

t.test('a linear classifier stays below 85 %', async (t) => {
  const train = makeBatch(glyphs({ length: 4000, seed: 11 }), range(4000));
  const test = makeBatch(glyphs({ length: 2000, seed: 11, split: 'test' }), range(2000));
  const accuracy = trainSoftmaxRegression(train, 10, { epochs: 20, rate: 0.05, batchSize: 20 });
  const [onTrain, onTest] = [accuracy(train), accuracy(test)];
  t.comment(`softmax regression: train ${onTrain}, test ${onTest}`);
  t.ok(onTrain > 0.6, 'it has learnt what it can');
  t.ok(onTest < 0.85 && onTest > 0.4);
});
