import t from 'tap';
import { byteTables, identityNormalisation, planeStatistics, writePlanes } from '../../lib/data/normalise.js';
import { centreCrop, crop, mirror, pixels } from '../../lib/data/pixels.js';
import { DataError } from '../../lib/tensor/errors.js';

// 1 2 3
// 4 5 6
const image = pixels(3, 2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6));
const colour = pixels(2, 1, 3, Uint8Array.of(10, 20, 30, 40, 50, 60));

t.test('crop inside, across the border and outside', async (t) => {
  t.same([...crop(image, 1, 0, 2, 2).data], [2, 3, 5, 6]);
  t.same([...crop(image, -1, -1, 3, 2).data], [0, 0, 0, 0, 1, 2]);
  t.same([...crop(image, 2, 1, 2, 2).data], [6, 0, 0, 0]);
  t.same([...crop(image, 5, 5, 2, 1).data], [0, 0]);
  t.same([...crop(colour, 1, 0, 2, 1).data], [40, 50, 60, 0, 0, 0]);
});

t.test("centre crop rounds as torchvision's", async (t) => {
  // Offsets by torchvision 0.14: int(round((size − window) / 2)); padding puts the odd pixel last.
  const offsets: readonly (readonly [size: number, window: number, offset: number])[] = [
    [7, 3, 2],
    [6, 3, 2],
    [4, 3, 0],
    [8, 3, 2],
    [10, 3, 4],
    [321, 255, 33],
    [481, 255, 113],
  ];
  for (const [size, window, offset] of offsets) {
    const row = Uint8Array.from({ length: size }, (_, i) => i % 251);
    t.equal(centreCrop(pixels(size, 1, 1, row), window, 1).data[0], offset % 251, `${size} to ${window}`);
  }
  t.same([...centreCrop(pixels(2, 1, 1, Uint8Array.of(8, 9)), 5, 1).data], [0, 8, 9, 0, 0]);
});

t.test('mirror', async (t) => {
  t.same([...mirror(image, 'horizontal').data], [3, 2, 1, 6, 5, 4]);
  t.same([...mirror(image, 'vertical').data], [4, 5, 6, 1, 2, 3]);
  t.same([...mirror(colour, 'horizontal').data], [40, 50, 60, 10, 20, 30]);
});

t.test('planes are normalised per channel', async (t) => {
  const tables = byteTables({ mean: [0, 0.5, 1], std: [1, 0.5, 2] });
  const out = new Float32Array(6);
  writePlanes(pixels(2, 1, 3, Uint8Array.of(0, 255, 255, 51, 0, 0)), tables, out);
  t.same([...out], [0, Math.fround(0.2), 1, -1, 0, -0.5]);
});

t.test('statistics of planes', async (t) => {
  // Two images of two channels and two pixels; channel 0: 0 255 0 255, channel 1: 51 51 51 51.
  const planes = Uint8Array.of(0, 255, 51, 51, 0, 255, 51, 51);
  const { mean, std } = planeStatistics(planes, 2, 2);
  t.same(mean, [0.5, 0.2]);
  t.same(std, [0.5, 0]);
});

t.test('what does not fit is refused', async (t) => {
  t.throws(() => pixels(2, 2, 1, new Uint8Array(3)), { message: /2x2x1 needs 4 bytes; got 3/ });
  t.throws(() => pixels(0, 2, 1, new Uint8Array(0)), DataError);
  t.throws(() => pixels(1.5, 2, 1, new Uint8Array(3)), DataError);
  t.throws(() => byteTables({ mean: [0, 0], std: [1] }), DataError);
  t.throws(() => byteTables({ mean: [0], std: [0] }), DataError);
  t.throws(() => writePlanes(image, byteTables(identityNormalisation(1)), new Float32Array(5)), DataError);
  t.throws(() => planeStatistics(new Uint8Array(5), 1, 2), DataError);
  t.throws(() => planeStatistics(new Uint8Array(0), 1, 2), DataError);
});
