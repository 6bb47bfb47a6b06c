import t from 'tap';
import { type IntegerGraph, integerTensor } from '../../../lib/deploy/graph/graph.js';
import { createRuntime } from '../../../lib/deploy/runtime/createRuntime.js';
import { classify, pictureInput, upscale } from '../../../lib/deploy/runtime/pictures.js';

const window = { stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;
const unconstrained = { weightBits: 8, accumulatorBits: null } as const;

/** Every pixel four times, as it is. */
function enlarger(channels: number): IntegerGraph {
  const weights = Array.from({ length: channels ** 2 }, (_, i) => (i % (channels + 1) === 0 ? 1 : 0));
  return {
    name: 'enlarger',
    input: { name: 'input', shape: [channels, 4, 4], low: 0, high: 255, scale: Math.fround(1 / 255) },
    nodes: [
      {
        ...{ op: 'conv', name: 'conv', inputs: ['input'], weights: 'w', groups: 1, resize: 2 },
        ...{ ...window, ...unconstrained },
      },
    ],
    output: { value: 'conv', decode: [{ op: 'multiply', values: [Math.fround(1 / 255)] }] },
    tensors: new Map([['w', integerTensor([channels, channels, 1, 1], weights)]]),
    task: {
      ...{ kind: 'images', factor: 2 },
      pixels: { mean: new Array(channels).fill(0), std: new Array(channels).fill(1) },
    },
    notes: [],
  };
}

/** Tells which of its three channels is the brightest. */
const brightest: IntegerGraph = {
  ...enlarger(3),
  input: { name: 'input', shape: [3, 4, 4], low: -128, high: 127, scale: 1 / 64 },
  nodes: [
    { op: 'sumPool', name: 'sums', inputs: ['input'], kernel: null, ...window },
    { op: 'reshape', name: 'flat', inputs: ['sums'], shape: [-1] },
    { op: 'linear', name: 'fc', inputs: ['flat'], weights: 'w', ...unconstrained },
  ],
  output: {
    value: 'fc',
    decode: [
      { op: 'multiply', values: [1 / 1024] },
      { op: 'add', values: [0, 0, 0.25] },
    ],
  },
  tensors: new Map([['w', integerTensor([3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1])]]),
  task: {
    ...{ kind: 'labels', classes: ['red', 'green', 'blue'] },
    pixels: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  },
};

const rgb = Uint8Array.from({ length: 3 * 5 * 3 }, (_, i) => (i * 37) % 256);

/** With alpha. */
function rgba(data: Uint8Array): Uint8ClampedArray {
  return Uint8ClampedArray.from({ length: (data.length / 3) * 4 }, (_, i) =>
    i % 4 === 3 ? 7 : data[3 * Math.floor(i / 4) + (i % 4)],
  );
}

t.test('bytes become integers by the tables of their channels', async (t) => {
  const image = { width: 5, height: 3, channels: 3, data: rgb };
  const { shape, data } = pictureInput(brightest, image);
  t.same(shape, [1, 3, 3, 5]);
  // (byte / 255 − 1/2) / (1/4) · 64, halves to even.
  const byHand = (byte: number) => {
    const steps = Math.fround(Math.fround((byte / 255 - 0.5) / 0.25) * 64);
    return Math.min(127, Math.max(-128, Math.round(steps)));
  };
  for (let c = 0; c < 3; c++) for (let i = 0; i < 15; i++) t.equal(data[15 * c + i], byHand(rgb[3 * i + c]));
  t.throws(() => pictureInput(enlarger(1), image), {
    name: 'DataError',
    message: 'picture: the network wants 1 channels; the picture has 3',
  });
});

t.test('a picture is made of a picture, grey, RGB or RGBA', async (t) => {
  const runtime = await createRuntime(enlarger(3));
  const large = await upscale(runtime, { width: 5, height: 3, data: rgb });
  t.same([large.width, large.height, large.data.length], [10, 6, 180]);
  t.ok(large.data instanceof Uint8ClampedArray);
  for (const [i, byte] of large.data.entries()) {
    const [row, column, c] = [Math.floor(i / 30), Math.floor((i % 30) / 3), i % 3];
    if (byte !== rgb[15 * (row >> 1) + 3 * (column >> 1) + c]) t.fail(`byte ${i} is ${byte}`);
  }
  const opaque = await upscale(runtime, { width: 5, height: 3, data: rgba(rgb) });
  t.same(
    opaque.data.filter((_, i) => i % 4 !== 3),
    large.data,
  );
  t.ok(opaque.data.every((byte, i) => i % 4 !== 3 || byte === 255));
  const grey = await upscale(runtime, { width: 1, height: 1, data: Uint8Array.of(200) });
  t.same([...grey.data], new Array(12).fill(200), 'grey has three equal channels');

  const dark = await createRuntime(enlarger(1));
  t.same([...(await upscale(dark, { width: 1, height: 1, data: Uint8Array.of(255, 0, 0) })).data], [76, 76, 76, 76]);
  const shown = await upscale(dark, { width: 1, height: 1, data: Uint8Array.of(9, 9, 9, 0) });
  t.same([...shown.data], [9, 9, 9, 255, 9, 9, 9, 255, 9, 9, 9, 255, 9, 9, 9, 255]);
});

t.test('classes come with probabilities, the likeliest first, from a picture of any size', async (t) => {
  const runtime = await createRuntime(brightest);
  const flat = (colour: readonly number[], count: number) =>
    Uint8Array.from({ length: 3 * count }, (_, i) => colour[i % 3]);
  for (const [width, height] of [
    [4, 4],
    [9, 5],
    [2, 3],
  ]) {
    const guesses = await classify(runtime, { width, height, data: flat([0, 255, 0], width * height) });
    t.same(
      guesses.map(({ name, label }) => [name, label]),
      [
        ['green', 1],
        ['blue', 2],
        ['red', 0],
      ],
      `${width}x${height}`,
    );
    // Sums of 16 integers: 127 at most, −128 at least; the worth of one is 1/1024, and blue has a bias.
    const powers = [(16 * -128) / 1024, (16 * 127) / 1024, (16 * -128) / 1024 + 0.25].map(Math.exp);
    const total = powers.reduce((sum, power) => sum + power, 0);
    for (const { label, probability } of guesses) t.ok(Math.abs(probability - powers[label] / total) < 1e-6);
  }
});

t.test('what is no picture, or asked of the wrong network, is refused by name', async (t) => {
  const large = await createRuntime(enlarger(3));
  const classes = await createRuntime(brightest);
  const image = { width: 5, height: 3, data: rgb };
  await t.rejects(classify(large, image), { message: 'classify: this network makes pictures; it knows no classes' });
  await t.rejects(upscale(classes, image), { message: 'upscale: this network tells classes; it makes no pictures' });
  const mute = await createRuntime({ ...brightest, task: null });
  await t.rejects(classify(mute, image), { name: 'DataError', message: /does not say what it is for/ });
  await t.rejects(classify(classes, { ...image, width: 4 }), { name: 'DataError' });
  await t.rejects(classify(classes, { ...image, width: 0 }), { name: 'DataError' });
  await t.rejects(classify(classes, { width: 1, height: 1, data: rgb.slice(0, 2) }), { name: 'DataError' });
  await t.rejects(classify(classes, { ...image, data: [...rgb] as never }), {
    name: 'ArgumentError',
    message: 'classify: the data of the picture must be bytes; got an array of 45',
  });
  await t.rejects(upscale({} as never, image), { name: 'ArgumentError' });
  await t.rejects(upscale({ run: () => image } as never, image), { name: 'ArgumentError' });
});
