import t from 'tap';
import { batches, makeBatch } from '../../lib/data/batches.js';
import { superResolutionPairs, upscalingPsnr } from '../../lib/data/bsd300.js';
import { type Pixels, pixels } from '../../lib/data/pixels.js';
import { resize } from '../../lib/data/resize.js';
import { DataError } from '../../lib/tensor/errors.js';

/** A photograph that is none: smooth waves with a different phase per channel. */
function waves(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        data[(y * width + x) * 3 + c] = 128 + 100 * Math.sin(x / 3 + c) * Math.cos(y / 4 - c) + (x % 5);
      }
    }
  }
  return pixels(width, height, 3, data);
}

/** [3, side, side] in [0, 1] back to interleaved bytes. */
function interleaved(planes: Float32Array, side: number): Pixels {
  const area = side * side;
  const data = Uint8Array.from({ length: area * 3 }, (_, i) =>
    Math.round(planes[(i % 3) * area + Math.floor(i / 3)] * 255),
  );
  return pixels(side, side, 3, data);
}

t.test('shapes of the two protocols', async (t) => {
  const shapes = (options: object) => {
    const set = superResolutionPairs([waves(300, 400)], options);
    return [set.inputShape, set.targetShape];
  };
  t.same(shapes({}), [
    [3, 85, 85],
    [3, 255, 255],
  ]);
  t.same(shapes({ factor: 2 }), [
    [3, 256, 256],
    [3, 512, 512],
  ]);
  t.same(shapes({ factor: 4 }), [
    [3, 64, 64],
    [3, 256, 256],
  ]);
  t.same(shapes({ factor: 3, crop: 30 }), [
    [3, 10, 10],
    [3, 30, 30],
  ]);
});

t.test('a plain pair is the centre and its bilinear reduction', async (t) => {
  const image = waves(50, 40);
  const { inputs, targets } = makeBatch(superResolutionPairs([image], { crop: 30 }), [0]);
  for (const [x, y, c] of [
    [0, 0, 0],
    [29, 29, 2],
    [12, 7, 1],
  ]) {
    const expected = image.data[((y + 5) * 50 + x + 10) * 3 + c];
    t.equal(Math.round(targets[c * 900 + y * 30 + x] * 255), expected);
  }
  const reduced = resize(interleaved(targets, 30), 10, 10, 'bilinear');
  t.same(interleaved(inputs, 10).data, reduced.data);
});

t.test('an image smaller than the window is padded with black', async (t) => {
  const white = pixels(4, 2, 3, new Uint8Array(24).fill(255));
  const { targets } = makeBatch(superResolutionPairs([white], { factor: 2, crop: 8 }), [0]);
  const rows = Array.from({ length: 8 }, (_, y) => targets.subarray(y * 8, y * 8 + 8).join(''));
  const [black, lit] = ['00000000', '00111100'];
  t.same(rows, [black, black, black, lit, lit, black, black, black]);
  // In training it lies anywhere within the window, whole.
  const places = new Set<string>();
  for (let epoch = 0; epoch < 400; epoch++) {
    const drawn = makeBatch(superResolutionPairs([white], { factor: 2, crop: 8 }), [0], { seed: 0, epoch }).targets;
    t.equal(
      drawn.reduce((sum, value) => sum + value, 0),
      24,
    );
    places.add(drawn.join(''));
  }
  t.equal(places.size, 5 * 7);
});

t.test('training windows: crops in four mirrorings, reduced after cropping, repeatable', async (t) => {
  const image = waves(20, 17);
  const windows = new Set<string>();
  for (let left = 0; left <= 8; left++) {
    for (let top = 0; top <= 5; top++) {
      for (const [mx, my] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ]) {
        const red: number[] = [];
        for (let y = 0; y < 12; y++) {
          for (let x = 0; x < 12; x++) {
            const [sx, sy] = [left + (mx ? 11 - x : x), top + (my ? 11 - y : y)];
            red.push(image.data[(sy * 20 + sx) * 3]);
          }
        }
        windows.add(red.join());
      }
    }
  }
  t.equal(windows.size, 216);
  const set = superResolutionPairs([image], { crop: 12 });
  const seen = new Set<string>();
  for (let epoch = 0; epoch < 3000; epoch++) {
    const { inputs, targets } = makeBatch(set, [0], { seed: 4, epoch });
    const window = interleaved(targets, 12);
    const red = window.data.filter((_, i) => i % 3 === 0).join();
    if (!windows.has(red)) t.fail(`epoch ${epoch} is no window`);
    seen.add(red);
    if (epoch % 500 === 0) t.same(interleaved(inputs, 4).data, resize(window, 4, 4, 'bilinear').data);
  }
  t.equal(seen.size, 216);
  const options = { batchSize: 2, shuffle: true, seed: 9, epoch: 3 };
  const three = superResolutionPairs([image, waves(30, 12), waves(13, 14)], { crop: 12 });
  t.same([...batches(three, { ...options, start: 1 })], [...batches(three, options)].slice(1));
});

t.test('up-scaling PSNR', async (t) => {
  // An image of one value is reproduced exactly: infinitely many dB.
  const flat = pixels(8, 8, 3, new Uint8Array(192).fill(77));
  t.equal(upscalingPsnr(superResolutionPairs([flat], { factor: 2, crop: 8 }), 'bicubic'), Number.POSITIVE_INFINITY);
  const board = pixels(
    8,
    8,
    3,
    Uint8Array.from({ length: 192 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % 8, Math.floor(i / 24)];
      return ((x >> 1) + (y >> 1)) % 2 === 0 ? 0 : 255;
    }),
  );
  const set = superResolutionPairs([board], { factor: 2, crop: 8 });
  // Blocks of 2x2 pixels, 0 and 255; by Pillow 9.4 and NumPy.
  t.ok(Math.abs(upscalingPsnr(set, 'nearest') - 9.917633902768129) < 1e-6);
  t.ok(Math.abs(upscalingPsnr(set, 'bicubic') - 8.188044615330853) < 1e-6);
});

t.test('options out of range', async (t) => {
  t.throws(() => superResolutionPairs([]), { message: /no images/ });
  t.throws(() => superResolutionPairs([waves(9, 9)], { factor: 1 }), DataError);
  t.throws(() => superResolutionPairs([waves(9, 9)], { factor: 2.5 }), DataError);
  t.throws(() => superResolutionPairs([waves(9, 9)], { crop: 256 }), { message: /multiple of the factor 3; got 256/ });
  t.throws(() => superResolutionPairs([pixels(4, 4, 1, new Uint8Array(16))]), {
    message: /image 0 has 1 channels, not 3/,
  });
});
