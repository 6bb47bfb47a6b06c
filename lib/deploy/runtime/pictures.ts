import { fitPixels, withChannels } from '../../data/fitImage.js';
import { type Guess, rankClasses } from '../../data/guesses.js';
import { readPlanes } from '../../data/normalise.js';
import { asImage, type Pixels, pixels } from '../../data/pixels.js';
import { asCapable, asOptions, kindOf } from '../../tensor/argument.js';
import { ArgumentError, DataError, formatShape } from '../../tensor/errors.js';
import { asGraph } from '../graph/argument.js';
import { asTask, decodeOutput, pixelTables } from '../graph/decode.js';
import type { IntegerGraph } from '../graph/graph.js';
import type { IntegerValue } from './reference.js';
import type { Runtime } from './runtime.js';

/** Bytes, row by row and interleaved: grey, RGB, or RGBA as a canvas holds them. Alpha is not looked at. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * A picture as a network's input: its bytes looked up in the 256 entries of each channel's table.
 * @param image with the channels of the network @returns `[1, C, H, W]`
 * @throws DataError if the network does not say what pixels mean to it, or wants other channels
 */
export function pictureInput(graph: IntegerGraph, image: Pixels): IntegerValue {
  const { width, height, channels, data } = asImage('pictureInput', image);
  const tables = pixelTables(graph);
  if (tables.length !== channels) {
    throw new DataError('picture', `the network wants ${tables.length} channels; the picture has ${channels}`);
  }
  const area = width * height;
  const out = new Int32Array(channels * area);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < area; i++) out[c * area + i] = tables[c][data[i * channels + c]];
  }
  return { shape: [1, channels, height, width], data: out };
}

/**
 * Any image as a network's input: with its channels, and for one that tells classes resized by the shorter side and
 * cropped at the centre.
 * @throws DataError if the network does not say what pixels mean to it
 */
export function fittedInput(graph: IntegerGraph, image: Pixels): IntegerValue {
  const [channels, height, width] = graph.input.shape;
  const fits = asTask('picture', graph).kind === 'labels';
  return pictureInput(graph, fits ? fitPixels(image, [channels, height, width]) : withChannels(image, channels));
}

/**
 * All classes, the likeliest first: integers from the bytes to the last sum, whose worth decides. The picture is
 * resized by its shorter side and cropped at the centre.
 * @throws DataError if the network tells no classes
 */
export async function classify(runtime: Runtime, picture: Picture): Promise<Guess[]> {
  const graph = graphOf('classify', runtime);
  const image = pictureOf('classify', picture);
  const task = asTask('classify', graph);
  if (task.kind !== 'labels') throw new DataError('classify', 'this network makes pictures; it knows no classes');
  const value = await runtime.run(fittedInput(graph, image));
  return rankClasses(decodeOutput(graph, value), task.classes);
}

/**
 * The picture the network makes of one, `factor` times its sides; RGBA if that was given.
 * @throws DataError if the network makes no pictures
 */
export async function upscale(
  runtime: Runtime,
  picture: Picture,
): Promise<Picture & { readonly data: Uint8ClampedArray }> {
  const graph = graphOf('upscale', runtime);
  const image = pictureOf('upscale', picture);
  const task = asTask('upscale', graph);
  if (task.kind !== 'images') throw new DataError('upscale', 'this network tells classes; it makes no pictures');
  const value = await runtime.run(fittedInput(graph, image));
  const [, channels, height, width] = value.shape;
  if (value.shape.length !== 4 || channels !== task.pixels.mean.length) {
    throw new DataError(
      'upscale',
      `the network makes values of shape ${formatShape(value.shape)}, which are no picture`,
    );
  }
  const made = readPlanes(decodeOutput(graph, value), [channels, height, width], task.pixels);
  const opaque = channelsOf(picture) === 4;
  return { width, height, data: opaque ? toRgba(made) : new Uint8ClampedArray(made.data.buffer) };
}

/** The network of a runtime. @throws DataError unless it takes pictures */
function graphOf(op: string, runtime: Runtime): IntegerGraph {
  const { graph } = asCapable(op, 'the runtime', runtime, 'run');
  const { shape } = asGraph(op, graph).input;
  if (shape.length === 3) return graph;
  throw new DataError(op, `inputs of this network have shape ${formatShape(shape)}; they are no pictures`);
}

function channelsOf({ width, height, data }: Picture): number {
  return data.length / (width * height);
}

/** @throws ArgumentError unless it holds bytes, DataError unless they fill its sides */
function pictureOf(op: string, picture: Picture): Pixels {
  const { width, height, data } = asOptions(op, picture, 'the picture');
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new ArgumentError(op, `the data of the picture must be bytes; got ${kindOf(data)}`);
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length);
  const channels = channelsOf(picture);
  if (channels !== 4) return pixels(width, height, channels, bytes);
  const colours = bytes.filter((_, i) => i % 4 !== 3);
  return pixels(width, height, 3, colours);
}

function toRgba({ width, height, channels, data }: Pixels): Uint8ClampedArray {
  const out = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) out[4 * i + c] = data[i * channels + (channels === 1 ? 0 : c)];
  }
  return out;
}
