import fc from 'fast-check';
import t from 'tap';
import { decodeImage } from '../../../lib/data/decode.js';
import { encodePng } from '../../../lib/data/node/encodePng.js';
import { pixels } from '../../../lib/data/pixels.js';
import { DataError } from '../../../lib/tensor/errors.js';

t.test('what is encoded is decoded to the same pixels', async (t) => {
  const image = fc.tuple(fc.integer({ min: 1, max: 17 }), fc.integer({ min: 1, max: 9 })).chain(([width, height]) =>
    fc.uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 }).map((data) => ({
      width,
      height,
      data,
    })),
  );
  fc.assert(
    fc.property(image, ({ width, height, data }) => {
      const decoded = decodeImage(encodePng(pixels(width, height, 3, data)), 'made here');
      t.same([decoded.width, decoded.height], [width, height]);
      t.same([...decoded.data], [...data]);
    }),
    { numRuns: 30 },
  );
});

t.test('grey images are decoded as three equal channels', async (t) => {
  const grey = Uint8Array.of(0, 127, 255, 3, 200, 9);
  const decoded = decodeImage(encodePng(pixels(3, 2, 1, grey)), 'made here');
  t.same(
    [...decoded.data],
    [...grey].flatMap((value) => [value, value, value]),
  );
});

t.test('other channels are refused', async (t) => {
  t.throws(() => encodePng(pixels(1, 1, 2, Uint8Array.of(1, 2))), DataError);
});
