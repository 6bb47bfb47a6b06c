import '../startReference.js';
import t from 'tap';
import { reshape, slice } from '../../lib/autograd/ops.js';
import { upsampleNearest } from '../../lib/autograd/resample.js';
import { fitImage, withChannels } from '../../lib/data/fitImage.js';
import { GLYPH_CLASSES } from '../../lib/data/glyphs.js';
import { probabilities } from '../../lib/data/guesses.js';
import { identityNormalisation } from '../../lib/data/normalise.js';
import { pixels } from '../../lib/data/pixels.js';
import { Module } from '../../lib/nn/module.js';
import { DataError } from '../../lib/tensor/errors.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { classify, MOST_PIXELS, upscale } from '../../lib/train/predict.js';
import { tinyRun } from './runs.js';

t.test('an image is made to fit: channels, size, middle', async (t) => {
  const colour = pixels(3, 1, 3, Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255));
  // PIL: Image.new('RGB', …).convert('L') of pure red, green and blue.
  t.same([...withChannels(colour, 1).data], [76, 150, 29]);
  const grey = pixels(4, 2, 1, Uint8Array.of(0, 51, 102, 153, 0, 51, 102, 153));
  const plain = identityNormalisation(3);
  const fitted = fitImage(grey, [3, 2, 2], plain);
  const middle = [51, 102, 51, 102].map((byte) => Math.fround(byte / 255));
  t.same([...fitted], [...middle, ...middle, ...middle], 'three equal planes of the middle two columns');
  t.equal(fitImage(grey, [1, 1, 1], identityNormalisation(1)).length, 1);
  t.throws(() => withChannels(pixels(1, 1, 2, Uint8Array.of(1, 2)), 3), DataError);
});

t.test('probabilities add up to 1 whatever the logits', async (t) => {
  t.same(probabilities([0, 0]), [0.5, 0.5]);
  const [a, b] = probabilities([1000, 1000 + Math.log(3)]);
  t.ok(Math.abs(a - 0.25) < 1e-12 && Math.abs(b - 0.75) < 1e-12);
  t.same(probabilities([Number.NEGATIVE_INFINITY, 5]), [0, 1]);
});

/** Its logits are the first ten pixels. */
class FirstPixels extends Module {
  override forward(x: Tensor): Tensor {
    return slice(reshape(x, [1, 256]), 1, 0, 10);
  }
}

/** Repeats every pixel. */
class Repeat extends Module {
  override forward(x: Tensor): Tensor {
    return upsampleNearest(x, 2);
  }
}

t.test('classes come likeliest first, by name', async (t) => {
  const data = new Uint8Array(256);
  data[3] = 255;
  const run = tinyRun({ classNames: GLYPH_CLASSES });
  const guesses = await classify(new FirstPixels(), run, pixels(16, 16, 1, data));
  t.equal(guesses.length, 10);
  t.match(guesses[0], { label: 3, name: 'hook' });
  // One logit of 1 among nine of 0.
  t.ok(Math.abs(guesses[0].probability - Math.E / (Math.E + 9)) < 1e-6);
  const [unnamed] = await classify(new FirstPixels(), tinyRun(), pixels(16, 16, 1, data));
  t.equal(unnamed.name, '3', 'by number in a run without names');
  const picture = pixels(1, 1, 1, Uint8Array.of(1));
  await t.rejects(upscale(new FirstPixels(), tinyRun(), picture), { name: 'DataError', message: /makes no images/ });
});

t.test('an image of any size is up-scaled whole', async (t) => {
  const run = tinyRun({
    model: 'espcn',
    dataset: { name: 'bsd300', factor: 2 },
    shape: { kind: 'images', inputShape: [3, 256, 256], signed: false, factor: 2 },
  });
  const made = await upscale(new Repeat(), run, pixels(2, 1, 3, Uint8Array.of(10, 20, 30, 40, 50, 60)));
  t.same([made.width, made.height, made.channels], [4, 2, 3]);
  const row = [10, 20, 30, 10, 20, 30, 40, 50, 60, 40, 50, 60];
  t.same([...made.data], [...row, ...row]);
  await t.rejects(classify(new Repeat(), run, made), { name: 'DataError', message: /knows no classes/ });
  const large = pixels(MOST_PIXELS + 1, 1, 1, new Uint8Array(MOST_PIXELS + 1));
  await t.rejects(upscale(new Repeat(), run, large), { name: 'DataError', message: /our limit is 524,288/ });
});
