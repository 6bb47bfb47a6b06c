import t from 'tap';
import { decodeImage } from '../../lib/data/decode.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { CMYK_JPEG, JPEGS, PNGS } from './images.golden.js';

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));

t.test("JPEG bytes are libjpeg's but for the rounding of the inverse DCT", async (t) => {
  for (const [name, golden] of Object.entries(JPEGS)) {
    const image = decodeImage(bytesOf(golden.file), name);
    const expected = bytesOf(golden.rgb);
    t.same([image.width, image.height, image.channels, image.data.length], [11, 9, 3, expected.length], name);
    const differences = Array.from(image.data, (byte, i) => Math.abs(byte - expected[i]));
    t.ok(Math.max(...differences) <= 3, `${name}: largest difference ${Math.max(...differences)}`);
    const mean = differences.reduce((sum, d) => sum + d, 0) / differences.length;
    t.ok(mean < 0.4, `${name}: mean difference ${mean.toFixed(3)}`);
  }
});

t.test('PNG of every mode', async (t) => {
  for (const [name, golden] of Object.entries(PNGS)) {
    const image = decodeImage(bytesOf(golden.file), name);
    t.same([image.width, image.height, image.channels], [3, 2, 3], name);
    t.same([...image.data], [...bytesOf(golden.rgb)], name);
  }
});

t.test('a truncated file of any length is a DataError that names it', async (t) => {
  for (const [kind, file] of [
    ['photo.jpg', JPEGS['ycc420'].file],
    ['photo.png', PNGS['rgb'].file],
  ] as const) {
    const bytes = bytesOf(file);
    let refused = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeImage(bytes.slice(0, length), kind);
      } catch (error) {
        if (error instanceof DataError && error.message.includes(kind)) refused++;
      }
    }
    t.equal(refused, bytes.length, kind);
  }
});

t.test('corrupt bytes never end in anything but an image or a DataError', async (t) => {
  const random = new Random(5);
  const files = [JPEGS['ycc420'], JPEGS['progressive'], PNGS['palette']].map((golden) => bytesOf(golden.file));
  const strangers: unknown[] = [];
  for (let trial = 0; trial < 1500; trial++) {
    const bytes = files[trial % files.length].slice();
    for (let k = 0; k < 3; k++) bytes[random.integer(bytes.length)] = random.integer(256);
    try {
      decodeImage(bytes, 'x');
    } catch (error) {
      if (!(error instanceof DataError)) strangers.push(error);
    }
  }
  t.same(strangers, []);
});

t.test('other files are refused', async (t) => {
  t.throws(() => decodeImage(bytesOf(CMYK_JPEG), 'print.jpg'), { message: /print\.jpg: 4 colour components/ });
  t.throws(() => decodeImage(new Uint8Array(0), 'empty'), { message: /empty: 0 bytes that are neither JPEG nor PNG/ });
  t.throws(() => decodeImage(Uint8Array.of(71, 73, 70, 56, 57, 97), 'a.gif'), DataError);
});
