import t from 'tap';
import { countCorrect, psnr, psnrPerImage, top1 } from '../../lib/data/metrics.js';
import { DataError } from '../../lib/tensor/errors.js';

const near = (value: number, expected: number) => Math.abs(value - expected) < 1e-9;

t.test('psnr', async (t) => {
  t.ok(near(psnr([0.5, 0.5], [0.6, 0.4]), 20));
  t.ok(near(psnr([0, 0, 0, 0], [1, 0, 0, 0]), 6.020599913279624));
  t.ok(near(psnr([0, 255], [255, 0], 255), 0));
  t.equal(psnr([0.25], [0.25]), Number.POSITIVE_INFINITY);
  t.ok(Number.isNaN(psnr([Number.NaN], [0])));
  t.throws(() => psnr([1], [1, 2]), { message: /same length; got 1 and 2/ });
  t.throws(() => psnr([], []), DataError);
});

t.test('psnr of each image of a batch', async (t) => {
  // Errors 0.1 and 0.01 everywhere: 20 and 40 dB.
  const values = psnrPerImage(Float64Array.of(0.1, 0.1, 0.01, 0.01), Float64Array.of(0, 0, 0, 0), 2);
  t.equal(values.length, 2);
  t.ok(near(values[0], 20) && near(values[1], 40));
  t.throws(() => psnrPerImage([1, 2, 3], [1, 2, 3], 2), DataError);
  t.throws(() => psnrPerImage([1, 2], [1, 2, 3], 1), DataError);
  t.throws(() => psnrPerImage([], [], 1), DataError);
});

t.test('top-1', async (t) => {
  const scores = [0.1, 0.7, 0.2, 3, 1, 2];
  t.equal(countCorrect(scores, [1, 0]), 2);
  t.equal(countCorrect(scores, [1, 2]), 1);
  t.equal(top1(scores, [0, 0]), 0.5);
  t.equal(top1([0.1, 0.9, 0.8, 0.2], [1, 1]), 0.5);
});

t.test('of equal scores the first counts, and NaN is never right', async (t) => {
  t.equal(countCorrect([5, 5, 5], [0]), 1);
  t.equal(countCorrect([5, 5, 5], [1]), 0);
  for (const label of [0, 1]) {
    t.equal(countCorrect([Number.NaN, 1], [label]), 0);
    t.equal(countCorrect([1, Number.NaN], [label]), 0);
  }
});

t.test('scores and labels that do not fit', async (t) => {
  t.throws(() => top1([1, 2, 3], [0, 1]), { message: /3 scores are not whole rows for 2 labels/ });
  t.throws(() => top1([1, 2], [2]), { message: /label 2 of row 0 is not one of 2 classes/ });
  t.throws(() => top1([1, 2], [-1]), DataError);
  t.throws(() => top1([], []), DataError);
});
