import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { type Pixels, pixels } from '../../lib/data/pixels.js';
import { type ResizeFilter, resize } from '../../lib/data/resize.js';
import { DataError } from '../../lib/tensor/errors.js';

// Goldens by Pillow 9.4.0: byte i of a scene is (i·0x9e3779b1 mod 2^32) >> 24;
//   np.asarray(Image.fromarray(scene).resize((W, H), Image.BILINEAR | BICUBIC | NEAREST)), sha256 of its bytes.

type Case = readonly [width: number, height: number, channels: number, toWidth: number, toHeight: number, ResizeFilter];

function scene(width: number, height: number, channels: number): Pixels {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
  return pixels(width, height, channels, data);
}

function run([width, height, channels, toWidth, toHeight, filter]: Case): Uint8Array {
  return resize(scene(width, height, channels), toWidth, toHeight, filter).data;
}

t.test("small images equal PIL's", async (t) => {
  const cases: readonly (readonly [Case, number[]])[] = [
    [
      [6, 4, 1, 3, 2, 'bilinear'],
      [106, 145, 117, 99, 147, 141],
    ],
    [
      [6, 4, 1, 3, 2, 'bicubic'],
      [104, 151, 113, 93, 151, 143],
    ],
    [
      [6, 4, 1, 3, 2, 'nearest'],
      [83, 143, 204, 190, 250, 54],
    ],
    [
      [3, 2, 1, 6, 4, 'bilinear'],
      [0, 40, 119, 134, 85, 60, 55, 79, 126, 125, 76, 51, 164, 156, 139, 106, 57, 32, 218, 194, 145, 96, 47, 23],
    ],
    [
      [3, 2, 1, 6, 4, 'bicubic'],
      [0, 17, 128, 152, 86, 54, 47, 67, 134, 136, 73, 43, 180, 167, 144, 103, 48, 22, 247, 217, 150, 87, 35, 11],
    ],
    [
      [3, 2, 1, 7, 3, 'nearest'],
      [0, 0, 158, 158, 158, 60, 60, 218, 218, 120, 120, 120, 23, 23, 218, 218, 120, 120, 120, 23, 23],
    ],
    [
      [3, 2, 3, 2, 3, 'bicubic'],
      [74, 154, 28, 211, 90, 164, 105, 85, 116, 142, 122, 152, 136, 16, 203, 72, 153, 140],
    ],
  ];
  for (const [parameters, expected] of cases) t.same([...run(parameters)], expected, parameters.join(' '));
});

t.test("large images equal PIL's to the bit", async (t) => {
  const cases: readonly (readonly [Case, string])[] = [
    [[255, 255, 3, 85, 85, 'bilinear'], '44984712d0786d41'],
    [[85, 85, 3, 255, 255, 'bicubic'], 'ef1d9512f1c22879'],
    [[85, 85, 3, 255, 255, 'nearest'], '6ddc485496498ca6'],
    [[512, 512, 3, 256, 256, 'bilinear'], '246eb256616db8b3'],
    [[64, 48, 3, 37, 91, 'bilinear'], '6b90bef65a81e345'],
    [[64, 48, 3, 37, 91, 'bicubic'], '37c74ea96e18971d'],
    [[64, 48, 3, 37, 91, 'nearest'], 'b9eb3311fbeb8470'],
    [[61, 1, 1, 7, 1, 'bicubic'], '8b9f7fe3b3b39ff6'],
    [[100, 100, 1, 1, 1, 'bilinear'], '76be8b528d0075f7'],
  ];
  for (const [parameters, expected] of cases) {
    const digest = createHash('sha256').update(run(parameters)).digest('hex').slice(0, 16);
    t.equal(digest, expected, parameters.join(' '));
  }
});

t.test('bicubic overshoot is clipped to bytes', async (t) => {
  const edge = pixels(8, 1, 1, Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255));
  const expected = [0, 0, 0, 0, 0, 0, 0, 52, 203, 255, 255, 255, 255, 255, 255, 255];
  t.same([...resize(edge, 16, 1, 'bicubic').data], expected);
});

t.test('the documented example', async (t) => {
  t.same([...resize(pixels(2, 1, 1, Uint8Array.of(0, 100)), 4, 1, 'bilinear').data], [0, 25, 75, 100]);
});

t.test('a constant image stays constant, whatever the sizes', async () => {
  const side = fc.integer({ min: 1, max: 20 });
  fc.assert(
    fc.property(
      side,
      side,
      side,
      side,
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom<ResizeFilter>('nearest', 'bilinear', 'bicubic'),
      (width, height, toWidth, toHeight, value, filter) => {
        const flat = pixels(width, height, 1, new Uint8Array(width * height).fill(value));
        return resize(flat, toWidth, toHeight, filter).data.every((byte) => byte === value);
      },
    ),
  );
});

t.test('the same size gives the same bytes', async (t) => {
  for (const filter of ['nearest', 'bilinear', 'bicubic'] as const) {
    t.same(run([7, 5, 3, 7, 5, filter]), scene(7, 5, 3).data, filter);
  }
});

t.test('sizes that are none', async (t) => {
  for (const side of [0, -1, 2.5, Number.NaN]) t.throws(() => resize(scene(4, 4, 1), side, 4, 'bilinear'), DataError);
});
