import { createHash } from 'node:crypto';
import { deflateRawSync, deflateSync } from 'node:zlib';
import t from 'tap';
import { checkImage, decodeImage } from '../../lib/data/decode.js';
import { DataError } from '../../lib/tensor/errors.js';
import { Random } from '../../lib/tensor/random.js';
import { CMYK_JPEG, JPEGS, PNGS } from './images.golden.js';
import { HASHED_JPEGS } from './jpegs.golden.js';
import { CHANNELS, chunk, headerChunk, type PngPicture, pngOf, writePng } from './writePng.js';

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const refused = (bytes: Uint8Array, message: RegExp) =>
  [() => decodeImage(bytes, 'x'), { name: 'DataError', message }] as const;

t.test("JPEG bytes are libjpeg's", async (t) => {
  for (const [name, golden] of Object.entries(JPEGS)) {
    const image = decodeImage(bytesOf(golden.file), name);
    t.same([image.width, image.height, image.channels], [11, 9, 3], name);
    t.same(image.data, bytesOf(golden.rgb), name);
  }
});

t.test('so they are for every sampling, scan script, restart interval and colour model', async (t) => {
  t.ok(Object.keys(HASHED_JPEGS).length >= 50);
  for (const [name, golden] of Object.entries(HASHED_JPEGS)) {
    const { width, height, data } = decodeImage(bytesOf(golden.file), name);
    t.same([width, height], [golden.width, golden.height], name);
    t.equal(createHash('sha256').update(data).digest('hex'), golden.sha256, name);
  }
});

t.test('PNG of every mode of Pillow', async (t) => {
  for (const [name, golden] of Object.entries(PNGS)) {
    const image = decodeImage(bytesOf(golden.file), name);
    t.same([image.width, image.height, image.channels], [3, 2, 3], name);
    t.same([...image.data], [...bytesOf(golden.rgb)], name);
  }
});

/** RGB by the specification; of 16 bits the upper 8. */
function rgbOf({ samples, colourType = 2, depth = 8, palette }: PngPicture): number[] {
  const channels = CHANNELS[colourType];
  const byte = (sample: number) => (depth === 16 ? sample >> 8 : (sample * 255) / (2 ** depth - 1));
  const pixels = Array.from({ length: samples.length / channels }, (_, i) => i * channels);
  return pixels.flatMap((at) => {
    if (palette) return [...palette.subarray(samples[at] * 3, samples[at] * 3 + 3)];
    return [0, 1, 2].map((c) => byte(samples[at + (channels >= 3 ? c : 0)]));
  });
}

t.test('PNG of every colour type, depth, filter and size, interlaced or not', async (t) => {
  const random = new Random(8);
  const kinds = [
    [0, [1, 2, 4, 8, 16]],
    [2, [8, 16]],
    [3, [1, 2, 4, 8]],
    [4, [8, 16]],
    [6, [8, 16]],
  ] as const;
  for (const [colourType, depths] of kinds) {
    for (const depth of depths) {
      const palette = Uint8Array.from({ length: 3 * 2 ** Math.min(depth, 8) }, () => random.integer(256));
      let wrong = 0;
      for (const [width, height] of [
        [1, 1],
        [2, 1],
        [1, 5],
        [3, 3],
        [9, 7],
        [17, 20],
      ]) {
        for (const interlaced of [false, true]) {
          const length = width * height * CHANNELS[colourType];
          const picture: PngPicture = {
            ...{ width, height, colourType, depth, interlaced, filters: [1, 4, 3, 2, 0], split: 5 },
            samples: Array.from({ length }, () => random.integer(2 ** depth)),
            ...(colourType === 3 ? { palette } : {}),
            ...(colourType < 4 ? { transparency: new Uint8Array(colourType === 2 ? 6 : 2) } : {}),
          };
          const { data } = decodeImage(writePng(picture), 'x');
          if (!Buffer.from(rgbOf(picture)).equals(data)) wrong++;
        }
      }
      t.equal(wrong, 0, `colour type ${colourType}, ${depth} bits`);
    }
  }
});

t.test('deflate in every form: stored, fixed and dynamic codes, long distances, many blocks', async (t) => {
  const random = new Random(2);
  const [width, height] = [160, 500];
  const noise = Uint8Array.from({ length: 48000 }, () => random.integer(256));
  const samples = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i < 90000 ? noise[i % 30011] : i >> 7));
  const raw = Buffer.concat(
    Array.from({ length: height }, (_, y) => Buffer.from([0, ...samples.subarray(y * width * 3, (y + 1) * width * 3)])),
  );
  for (const options of [{ level: 0 }, { strategy: 4 }, { level: 9 }, { level: 1, memLevel: 1 }, { windowBits: 9 }]) {
    const file = pngOf(headerChunk(width, height), chunk('IDAT', deflateSync(raw, options)));
    t.ok(Buffer.from(decodeImage(file, 'x').data).equals(samples), JSON.stringify(options));
  }
});

t.test('a truncated file of any length is a DataError that names it, and says so', async (t) => {
  const { file: progressive } = HASHED_JPEGS['refined bit by bit'];
  for (const [kind, file] of [
    ['photo.jpg', JPEGS['ycc420'].file],
    ['progressive.jpg', progressive],
    ['photo.png', PNGS['rgb'].file],
  ] as const) {
    const bytes = bytesOf(file);
    let named = 0;
    for (let length = 8; length < bytes.length; length++) {
      try {
        decodeImage(bytes.slice(0, length), kind);
      } catch (error) {
        if (error instanceof DataError && error.message.includes(`${kind}: truncated`)) named++;
      }
    }
    t.equal(named, bytes.length - 8, kind);
    t.throws(() => decodeImage(bytes.slice(0, 5), kind), DataError);
  }
});

t.test('corrupt bytes never end in anything but an image or a DataError', async (t) => {
  const random = new Random(5);
  const goldens = [...Object.values(HASHED_JPEGS), JPEGS['progressive'], ...Object.values(PNGS)];
  const files = goldens.map((golden) => bytesOf(golden.file));
  const strangers: unknown[] = [];
  for (let trial = 0; trial < 3000; trial++) {
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

/** A JPEG segment. */
const segment = (marker: number, ...payload: number[]) => [0xff, marker, 0, payload.length + 2, ...payload];
/** Codes of one bit: DC difference 0, end of block. A block is the two bits 00. */
const TABLES = [
  ...segment(0xdb, 0, ...new Array<number>(64).fill(1)),
  ...segment(0xc4, 0, 1, ...new Array<number>(15).fill(0), 0),
  ...segment(0xc4, 16, 1, ...new Array<number>(15).fill(0), 0),
];
const frame = (marker: number, width: number, height: number, ...rest: number[]) =>
  segment(marker, 8, height >> 8, height & 255, width >> 8, width & 255, ...rest);
const greyJpeg = (width: number, height: number, between: readonly number[], scan: readonly number[]) =>
  Uint8Array.from([
    ...[0xff, 0xd8, ...TABLES, ...frame(0xc0, width, height, 1, 1, 0x11, 0), ...between],
    ...[...segment(0xda, 1, 1, 0, 0, 63, 0), ...scan, 0xff, 0xd9],
  ]);

t.test('restart intervals that do not divide a scan, and fill bytes before markers', async (t) => {
  for (const [blocks, interval, scan] of [
    [1, 3, [0x3f]],
    [3, 3, [0x03]],
    [4, 3, [0x03, 0xff, 0xd0, 0x3f]],
    [4, 3, [0x03, 0xff, 0xff, 0xff, 0xd0, 0x3f, 0xff]],
    [2, 1, [0x3f, 0xff, 0xd0, 0x3f]],
  ] as const) {
    const { data } = decodeImage(greyJpeg(blocks * 8, 8, segment(0xdd, 0, interval), scan), 'x');
    t.ok(
      data.every((value) => value === 128),
      `${blocks} blocks, interval ${interval}`,
    );
  }
  t.throws(
    ...refused(greyJpeg(16, 8, segment(0xdd, 0, 1), [0x3f, 0xff, 0xd3, 0x3f]), /corrupt JPEG .*no restart marker 0/),
  );
  t.throws(...refused(greyJpeg(64, 64, [], [0]), /corrupt JPEG .*a scan ends too early/));
});

t.test('photographs of 30 and 48 megapixels; beyond the limit, which is named and can be raised', async (t) => {
  const [width, height] = [8000, 6000];
  const blocks = Array.from({ length: ((width / 8) * (height / 8)) / 4 }, () => 0);
  const photo = greyJpeg(width, height, [], blocks);
  t.equal(decodeImage(photo, 'x', {}).data.length, width * height * 3);
  const limit =
    /48 megapixels are above our limit of 30 megapixels; maxPixels, or A2Q_MAX_PIXELS for commands, raises it/;
  t.throws(() => decodeImage(photo, 'x', { maxPixels: 30e6 }), { name: 'DataError', message: limit });
  const huge = pngOf(headerChunk(9000, 8000, 1, 0), chunk('IDAT', deflateSync(Buffer.alloc(1126 * 8000))));
  t.throws(...refused(huge, /9000x8000 = 72 megapixels are above our limit of 50 megapixels/));
  t.equal(decodeImage(huge, 'x', { maxPixels: 72e6 }).height, 8000);
});

t.test('scans are limited', async (t) => {
  const dc = [...segment(0xda, 1, 1, 0, 0, 0, 0), 0x7f];
  const ac = [...segment(0xda, 1, 1, 0, 1, 63, 0), 0x7f];
  const scans = Array.from({ length: 100 }, () => ac).flat();
  const bytes = Uint8Array.from([
    0xff,
    0xd8,
    ...TABLES,
    ...frame(0xc2, 8, 8, 1, 1, 0x11, 0),
    ...dc,
    ...scans,
    0xff,
    0xd9,
  ]);
  t.throws(...refused(bytes, /more scans than our limit of 100; the option maxScans raises it/));
  t.equal(decodeImage(bytes, 'x', { maxScans: 101 }).data[0], 128);
});

t.test('what a file announces is not believed beyond what it can hold', async (t) => {
  const zlib = deflateSync(Buffer.alloc(10));
  t.throws(
    ...refused(greyJpeg(6000, 6000, [], [0]), /truncated JPEG .*562500 blocks of pixels take 140625 bytes or more/),
  );
  t.throws(
    ...refused(pngOf(headerChunk(6000, 6000), chunk('IDAT', zlib)), /corrupt PNG .*cannot hold 6000x6000 pixels/),
  );
  t.throws(...refused(pngOf(headerChunk(2 ** 31 - 1, 2 ** 31 - 1), chunk('IDAT', zlib)), /above our limit/));
  t.throws(...refused(pngOf(headerChunk(16, 16), chunk('IDAT', zlib)), /less image data than its header announces/));
  const long = deflateSync(Buffer.alloc(5e6));
  t.throws(...refused(pngOf(headerChunk(2, 2), chunk('IDAT', long)), /more image data than its header announces/));
});

t.test('what is wrong with a PNG is said', async (t) => {
  const rows = deflateSync(Buffer.alloc(13 * 4));
  const good = chunk('IDAT', rows);
  const cases: [Buffer[], RegExp][] = [
    [[good], /corrupt PNG .*first chunk is IDAT/],
    [[headerChunk(4, 4)], /corrupt PNG .*no image data/],
    [[headerChunk(4, 4), headerChunk(4, 4), good], /corrupt PNG .*a second header/],
    [[headerChunk(4, 4, 4), good], /corrupt PNG .*colour type 2 with 4 bits/],
    [[headerChunk(0, 4), good], /corrupt PNG .*sides 0x4/],
    [[headerChunk(4, 4, 8, 3), good], /corrupt PNG .*no palette/],
    [[headerChunk(4, 4), chunk('ABCD', rows), good], /PNG with a critical chunk ABCD, which is not supported/],
    [[headerChunk(4, 4), chunk('IDAT', deflateRawSync(Buffer.alloc(52)))], /corrupt PNG .*no zlib header/],
    [[headerChunk(4, 4), chunk('IDAT', rows.subarray(0, -1))], /corrupt PNG .*ends too early/],
    [[headerChunk(4, 4), chunk('IDAT', deflateSync(Buffer.alloc(52, 9)))], /corrupt PNG .*a row with filter 9/],
  ];
  for (const [chunks, message] of cases) t.throws(...refused(pngOf(...chunks), message));
  const [wrongSum, wrongAdler] = [Buffer.from(good), Buffer.from(rows)];
  wrongSum[9] ^= 1;
  wrongAdler[rows.length - 1] ^= 1;
  t.throws(...refused(pngOf(headerChunk(4, 4), wrongSum), /corrupt PNG .*checksum of its chunk IDAT is wrong/));
  t.throws(...refused(pngOf(headerChunk(4, 4), chunk('IDAT', wrongAdler)), /corrupt PNG .*checksum of its image data/));
  const palette = new Uint8Array(6);
  const outside = writePng({ width: 1, height: 1, colourType: 3, depth: 2, samples: [2], palette });
  t.throws(...refused(outside, /corrupt PNG .*colour 2 of a palette of 2/));
  const text = chunk('tEXt', Buffer.from('a\0b'));
  t.equal(decodeImage(Buffer.concat([pngOf(headerChunk(4, 4), text, good), Buffer.from('tail')]), 'x').data[0], 0);
});

t.test('JPEG of kinds that are not supported is not called corrupt', async (t) => {
  const withFrame = (...bytes: number[]) => Uint8Array.from([0xff, 0xd8, ...TABLES, ...bytes, 0xff, 0xd9]);
  const cases: [Uint8Array, RegExp][] = [
    [withFrame(...frame(0xc9, 8, 8, 1, 1, 0x11, 0)), /JPEG with arithmetic coding, which is not supported/],
    [withFrame(...frame(0xc3, 8, 8, 1, 1, 0x11, 0)), /lossless compression, which is not supported/],
    [withFrame(...segment(0xc1, 12, 0, 8, 0, 8, 1, 1, 0x11, 0)), /12 bits a sample, which is not supported/],
    [withFrame(...frame(0xc0, 8, 0, 1, 1, 0x11, 0)), /its height after the picture \(DNL\), which is not supported/],
    [withFrame(...frame(0xc0, 8, 8, 2, 1, 0x11, 0, 2, 0x11, 0)), /2 colour components, which is not supported/],
    [withFrame(...frame(0xc0, 0, 8, 1, 1, 0x11, 0)), /corrupt JPEG .*sides 0x8/],
    [withFrame(...frame(0xc0, 8, 8, 1, 1, 0x51, 0)), /corrupt JPEG .*sampling factors/],
    [withFrame(), /corrupt JPEG .*no picture/],
    [withFrame(...frame(0xc0, 8, 8, 1, 1, 0x11, 0)), /corrupt JPEG .*component 1 is in no scan/],
    [withFrame(...segment(0xda, 1, 1, 0, 0, 63, 0), 0), /corrupt JPEG .*a scan before the frame header/],
  ];
  for (const [bytes, message] of cases) t.throws(...refused(bytes, message));
});

t.test('CMYK is converted as Pillow does', async (t) => {
  const { data } = decodeImage(bytesOf(CMYK_JPEG), 'print.jpg');
  t.same([...data], new Array(data.length).fill(data[0]));
});

t.test('other files are refused', async (t) => {
  t.throws(() => decodeImage(new Uint8Array(0), 'empty'), { message: /empty: 0 bytes that are neither JPEG nor PNG/ });
  t.throws(() => decodeImage(Uint8Array.of(71, 73, 70, 56, 57, 97), 'a.gif'), DataError);
});

t.test('sound files pass the check without decoding; of others it finds all but damage among pixels', async (t) => {
  for (const golden of [...Object.values(HASHED_JPEGS), ...Object.values(JPEGS), ...Object.values(PNGS)]) {
    const bytes = bytesOf(golden.file);
    checkImage(bytes, 'x');
    for (const length of [0, 20, bytes.length >> 1, bytes.length - 1]) {
      t.throws(() => checkImage(bytes.subarray(0, length), 'x'), DataError);
    }
  }
  const arithmetic = Uint8Array.from([0xff, 0xd8, ...TABLES, ...frame(0xc9, 8, 8, 1, 1, 0x11, 0)]);
  t.throws(() => checkImage(arithmetic, 'x'), { message: /arithmetic coding, which is not supported/ });
  const huge = pngOf(headerChunk(60000, 60000), chunk('IDAT', deflateSync(Buffer.alloc(10))));
  t.throws(() => checkImage(huge, 'x'), { message: /above our limit/ });
});

t.test('formats that are not read are called by their names', async (t) => {
  for (const [text, message] of [
    ['GIF89a\0\0\0\0\0\0', 'a GIF'],
    ['RIFF\n\n\n\nWEBP', 'a WebP'],
    ['II*\0', 'a TIFF'],
    ['\0\0\0 ftypavif', 'an AVIF'],
  ]) {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    t.throws(() => decodeImage(bytes, 'x'), {
      message: `decodeImage: x: ${message}, which is not supported; convert it to PNG`,
    });
  }
});
